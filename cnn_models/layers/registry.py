"""The decorator that registers this package's layers with Keras, so that saved networks can be opened."""

import keras

register = keras.saving.register_keras_serializable(package="cnn_models")
