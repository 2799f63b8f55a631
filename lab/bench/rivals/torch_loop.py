"""PyTorch's usual training loop: `torch_loop eager`, or `torch_loop compiled` with torch.compile.

With the settings that are fastest on a CPU: the fused optimizer, and denormal numbers taken for zero.
"""

import sys
import time

from lab.bench.rivals import BATCH, EPOCHS, PEAK_RATE, THREADS, WARM_UP, WEIGHT_DECAY, print_result


def main(how: str) -> None:
    """Trains, and measures the seconds of each epoch. The pictures are in memory; a batch is selected by indices."""
    import torch
    from torch import nn

    from cnn_models.brightness import network_input
    from lab.data import datasets

    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    mnist = datasets.load("mnist")
    train, test = mnist.train, mnist.test
    images = torch.from_numpy(train.images).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(train.labels.astype("int64"))
    model: nn.Module = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding="same"), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == 61_706
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    steps = len(labels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps * EPOCHS, pct_start=WARM_UP)
    loss_of = nn.CrossEntropyLoss()
    network = torch.compile(model) if how == "compiled" else model
    seconds = []
    for _ in range(EPOCHS):
        began = time.perf_counter()
        for batch in torch.randperm(len(labels))[: steps * BATCH].split(BATCH):
            pictures, wanted = network_input(images[batch].float()), labels[batch]
            loss = loss_of(network(pictures), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds.append(time.perf_counter() - began)
    with torch.no_grad():
        logits = model(network_input(torch.from_numpy(test.images).permute(0, 3, 1, 2).float()))
    print_result(seconds, float((logits.argmax(1).numpy() == test.labels).mean()))


if __name__ == "__main__":
    main(sys.argv[1])
