"""The decorator that registers the suite's layers under names of their own, so that saved networks open."""

import keras

register = keras.saving.register_keras_serializable(package="cnn_models")
