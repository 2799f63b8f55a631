"""Keras's example `mnist_convnet`: trains its network with its settings to 99.0 % validation accuracy.

Source: https://keras.io/examples/vision/mnist_convnet/ (34,826 parameters, Adam, batch size 128). The example holds out
the last tenth of the training pictures. Here it uses the same training and validation pictures as this suite, so that
the accuracies can be compared. `mnist_convnet SEED` trains once, and prints the seconds without start-up and the
accuracy on the test pictures.
"""

import json
import sys
import time

from lab.bench.rivals import configure_tensorflow

WANTED = 0.990
MOST_EPOCHS = 15


def main(seed: int) -> None:
    """Trains until an epoch ends with the wanted validation accuracy."""
    configure_tensorflow()
    import keras
    import numpy as np
    from keras import layers

    from lab.data import datasets

    class Until(keras.callbacks.Callback):
        """Ends the training at the wanted accuracy."""

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if logs and logs["val_accuracy"] >= WANTED:
                self.model.stop_training = True

    keras.utils.set_random_seed(seed)
    mnist = datasets.load("mnist")
    train, validation = (
        (split.images.astype("float32") / 255, keras.utils.to_categorical(split.labels, 10))
        for split in (mnist.train, mnist.validation)
    )
    began = time.perf_counter()
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    assert model.count_params() == 34_826
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    history = model.fit(
        *train,
        batch_size=128,
        epochs=MOST_EPOCHS,
        validation_data=validation,
        callbacks=[Until()],
        verbose=0,
    )
    seconds = time.perf_counter() - began
    tested = mnist.test.images.astype("float32") / 255
    accuracy = float(np.mean(model.predict(tested, verbose=0).argmax(1) == mnist.test.labels))
    reached = history.history["val_accuracy"][-1] >= WANTED
    print(json.dumps({"values": [seconds], "accuracy": accuracy, "reached": reached, "epochs": len(history.epoch)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
