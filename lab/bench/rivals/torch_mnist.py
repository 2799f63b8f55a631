"""PyTorch's example `mnist`: trains its network with its settings to 99.0 % validation accuracy.

Source: https://github.com/pytorch/examples/blob/main/mnist/main.py (1,199,882 parameters, Adadelta, batch size 64, the
rate times 0.7 after each epoch). It uses the same training and validation pictures as this suite. `torch_mnist SEED`
trains once, and prints the seconds without start-up and the accuracy on the test pictures.
"""

import json
import sys
import time

from lab.bench.rivals import THREADS
from lab.bench.rivals.mnist_convnet import MOST_EPOCHS, WANTED

BATCH, RATE, DECAY = 64, 1.0, 0.7
MEAN, SPREAD = 0.1307, 0.3081  # of MNIST's pixels, as the example has them


def main(seed: int) -> None:
    """Trains until an epoch ends with the wanted validation accuracy."""
    import torch
    from torch import nn

    from lab.data import datasets
    from lab.data.datasets import Split

    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)

    def tensors(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = torch.from_numpy(split.images).permute(0, 3, 1, 2).float() / 255
        return (pictures - MEAN) / SPREAD, torch.from_numpy(split.labels.astype("int64"))

    mnist = datasets.load("mnist")
    (pictures, labels), validation, test = (tensors(split) for split in (mnist.train, mnist.validation, mnist.test))
    began = time.perf_counter()
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_199_882
    optimizer = torch.optim.Adadelta(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=DECAY)
    loss_of = nn.CrossEntropyLoss()

    def accuracy(split: tuple[torch.Tensor, torch.Tensor]) -> float:
        model.eval()
        with torch.no_grad():
            return float(torch.cat([model(part).argmax(1) for part in split[0].split(500)]).eq(split[1]).float().mean())

    epochs, reached = 0, False
    while epochs < MOST_EPOCHS and not reached:
        model.train()
        for batch in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            loss_of(model(pictures[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
        epochs += 1
        reached = accuracy(validation) >= WANTED
    seconds = time.perf_counter() - began
    print(json.dumps({"values": [seconds], "accuracy": accuracy(test), "reached": reached, "epochs": epochs}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
