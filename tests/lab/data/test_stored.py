"""Pictures that stay in files: the same pictures, in bounded memory."""

import subprocess
import sys

import numpy as np
import pytest

from lab.data.stored import Labels, Part, Pictures, Shuffled


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1_000, 65_537])
def test_an_order_is_a_permutation_that_the_seed_decides(count):
    order = Shuffled(count, [3, 0])[0:count]
    np.testing.assert_array_equal(np.sort(order), np.arange(count))
    np.testing.assert_array_equal(
        np.concatenate([Shuffled(count, [3, 0])[a : a + 100] for a in range(0, count, 100)]), order
    )
    if count > 60:
        assert not np.array_equal(order, Shuffled(count, [3, 1])[0:count])


def test_an_order_is_as_random_as_a_drawn_one():
    count, kinds = 20_000, 10
    # Classes lie one after another; a stretch of the order must hold them as a random draw would.
    chi = []
    for epoch in range(60):
        classes = Shuffled(count, [0, epoch])[0:1_000] * kinds // count
        seen = np.bincount(classes, minlength=kinds)
        chi.append(((seen - 100) ** 2 / 100).sum() / (1 - 1_000 / count))
    assert 7.5 < np.mean(chi) < 10.8  # chi-squared with 9 degrees of freedom; of 60 the mean's deviation is 0.55
    steps = np.diff(Shuffled(count, [0, 0])[0:count])
    assert len(np.unique(steps)) > 0.5 * count
    assert abs(np.corrcoef(Shuffled(count, [0, 0])[0:count], np.arange(count))[0, 1]) < 0.03


def write(file, rows, start=0):
    numbers = (start + np.arange(rows))[:, np.newaxis] >> (8 * np.arange(4)) & 255  # each picture says its number
    np.save(file, np.pad(numbers, ((0, 0), (0, 780))).astype("uint8"))


def numbers(pictures):
    return (pictures.reshape(len(pictures), -1)[:, :4].astype("int64") << (8 * np.arange(4))).sum(axis=1)


def test_pictures_are_those_of_the_files_but_what_is_left_out(tmp_path):
    sizes, parts, expected = (1_500, 1, 2_345), [], []
    for number, rows in enumerate(sizes):
        write(tmp_path / f"{number}.npy", rows, 10_000 * number)
        left_out = np.sort(np.random.default_rng(number).choice(rows, rows // 3, replace=False))
        parts.append(Part(tmp_path / f"{number}.npy", rows, left_out))
        expected.append(np.delete(10_000 * number + np.arange(rows), left_out))
    pictures, labels = Pictures(tuple(parts), (28, 28, 1)), Labels([len(part) for part in parts])
    everything = np.concatenate(expected)
    assert pictures.shape == (len(everything), 28, 28, 1)
    assert len(pictures) == len(labels) == len(everything)
    for places in (np.arange(len(everything)), np.random.default_rng(9).integers(0, len(everything), 3_000)):
        found = pictures[places]
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(numbers(found), everything[places])
        np.testing.assert_array_equal(labels[places], everything[places] // 10_000)
    assert labels.max() == 2
    assert pictures[np.array([], int)].shape == (0, 28, 28, 1)


MEASURE = r"""
import re, sys
from pathlib import Path
from lab.learn import devices
devices.one_thread()
from lab.data import quickdraw
from lab.data.datasets import Dataset, Split
from lab.declare.recipe import Training
from lab.learn.training import Trainer
for folder in sys.argv[1:]:
    found = quickdraw.opened([(file, "") for file in sorted(Path(folder).glob("*.npy"))], 1)
    dataset = Dataset("synthetic", "", *(Split(*arrays) for arrays in (found.train, found.validation, found.test)))
    outcome = Trainer(Training("linear", epochs=1, batch_size=200), dataset).run(0)
    assert outcome["status"] == "finished"
    # Of this process alone: `ru_maxrss` begins with what the process had that started it.
    most = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
    print(len(dataset.train.labels), most)
"""


def drawings(folder, rows):
    """A folder of files of ten classes, so many drawings each."""
    folder.mkdir()
    for number in range(10):
        array = np.lib.format.open_memmap(folder / f"{number}.npy", "w+", "uint8", (rows, 784))
        array[:, number] = 255  # synthetic: their number is what counts
        del array
    return str(folder)


@pytest.mark.slow
def test_memory_of_training_does_not_grow_with_the_number_of_drawings(tmp_path):
    """One process learns from few drawings, then from many. Its largest resident memory, in megabytes, is noted."""
    folders = [drawings(tmp_path / str(rows), rows) for rows in (5_000, 60_000)]
    done = subprocess.run([sys.executable, "-c", MEASURE, *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (few, small), (many, large) = (map(int, line.split()) for line in done.stdout.splitlines())
    print(f"peak resident memory: {few:,} drawings {small} MB, {many:,} drawings {large} MB")
    # 430 MB of drawings more. Of what a drawing might cost, a label and a place are 16 bytes, 9 MB; the pictures
    # themselves, kept once, would be 430 MB.
    more = 784 * (many - few) / 1e6
    assert more > 400
    assert large - small < more / 4
