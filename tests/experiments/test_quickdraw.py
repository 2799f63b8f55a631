"""Quick, Draw!: the sample, the official files from a real server, and training from them."""

import io
import threading
import urllib.parse
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from experiments.quickdraw import figure
from lab.command.arguments import parser
from lab.command.main import call_of, main
from lab.command.plan import plan
from lab.data import datasets, quickdraw, strokes
from lab.declare import catalogue
from lab.declare.recipe import Canvas, Measures, Training, View
from lab.declare.run import Run
from lab.errors import UsageError
from lab.learn.training import Trainer
from lab.learn.views import Batch
from lab.store.record import Record

EXPERIMENT = catalogue.find("quickdraw")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bucket(tmp_path, cache, monkeypatch):
    """A server that holds real drawings of three classes as the official bucket does, and its requests."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, form, *words):
            asked.append(urllib.parse.unquote(words[0]))

    sample, folder = quickdraw._sample(), tmp_path / "bucket"
    for kind, ending in (("numpy_bitmap", "npy"), ("simplified", "ndjson")):
        (folder / kind).mkdir(parents=True)
        for name, content in (("cat", "cat"), ("tree", "tree"), ("hot air balloon", "apple")):
            (folder / kind / f"{name}.{ending}").write_bytes(sample[f"{kind}/{content}.{ending}"])
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("QUICKDRAW_URL", f"http://127.0.0.1:{server.server_port}")
        yield folder, asked
        server.shutdown()
        thread.join()


def test_the_sample_is_split_class_by_class():
    sample = datasets.load("quickdraw")
    splits = (sample.train, sample.validation, sample.test)
    assert [np.bincount(split.labels).tolist() for split in splits] == [[700] * 10, [100] * 10, [200] * 10]
    assert sample.shape == (28, 28, 1)
    assert sample.names == quickdraw.SAMPLE
    pictures = np.concatenate([split.images for split in splits]).reshape(10_000, -1)
    assert len(np.unique(pictures, axis=0)) == 10_000  # none lost, none in two splits
    strokes_ = datasets.load("quickdraw-strokes")
    sizes = [len(split.labels) for split in (strokes_.train, strokes_.validation, strokes_.test)]
    assert sizes == [6_210, 690, 1_725]
    assert (np.bincount(strokes_.test.labels) == 5).all()
    assert strokes_.classes == len(strokes_.names) == 345
    assert strokes_.shape == (28, 28, 3)


def test_the_sample_is_small_enough_and_says_whose_it_is():
    assert (quickdraw.HERE / "drawings.tar.xz").stat().st_size < 4e6
    words = (quickdraw.HERE / "README.md").read_text()
    assert "Google, Inc." in words
    assert "creativecommons.org/licenses/by/4.0" in words


def test_classes_are_the_official_ones_in_the_official_order():
    assert len(set(quickdraw.categories())) == 345
    assert quickdraw.chosen("tree, cat,") == ("cat", "tree")
    assert quickdraw.chosen("all") == quickdraw.categories()
    assert datasets.by_class("quickdraw", "tree,cat") == "quickdraw:cat,tree"
    assert datasets.by_class("quickdraw", "all") == "quickdraw:all"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "quickdraw", "--classes", "cta,dog"], "Did you mean cat"),
        (["run", "quickdraw", "--classes", "cat"], "two classes or more"),
        (["run", "quickdraw", "--classes", "cat,cat"], "two classes or more"),
        (["run", "quickdraw", "--dataset", "quickdraw:cat,hot air baloon"], "hot air balloon"),
        (["run", "lenet", "--classes", "cat,dog"], "does not come by class"),
        (["run", "filters", "--classes", "cat,dog"], "takes no --classes"),
    ],
)
def test_wrong_classes_are_one_message(words, message, tmp_path, capsys):
    assert main([*words, "--results", str(tmp_path / "r")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_each_row_is_planned_on_its_own_data_set():
    runs = plan(EXPERIMENT, call_of(parser().parse_args(["run", "quickdraw", "--seeds", "1"])))
    assert {(run.variant, run.dataset) for run in runs} == {
        (variant.name, variant.dataset or "quickdraw") for variant in EXPERIMENT.variants
    }
    asked = ["run", "quickdraw", "--seeds", "1", "--classes", "hot air balloon,cat"]
    runs = plan(EXPERIMENT, call_of(parser().parse_args(asked)))
    assert {run.dataset for run in runs} == {
        "quickdraw:cat,hot air balloon",
        "quickdraw-strokes:cat,hot air balloon",
    }
    assert len(runs) == len(EXPERIMENT.variants)
    assert all("/" not in run.key and "," not in run.key for run in runs)
    assert len({run.key for run in runs}) == len(runs)
    runs = plan(EXPERIMENT, call_of(parser().parse_args(["run", "quickdraw", "--seeds", "1", "--dataset", "digits"])))
    assert [run.variant for run in runs] == [variant.name for variant in EXPERIMENT.variants]


def test_the_official_bitmaps_are_fetched_once_and_split(bucket):
    _, asked = bucket
    fetched = datasets.load("quickdraw:cat,hot air balloon")
    assert [line.removesuffix(" HTTP/1.1") for line in asked] == [
        f"{method} /numpy_bitmap/{name}.npy" for name in ("cat", "hot air balloon") for method in ("HEAD", "GET")
    ]
    again = datasets.load("quickdraw:cat,hot air balloon")
    assert len(asked) == 4
    assert again.checksum == fetched.checksum != datasets.load("quickdraw:cat,tree").checksum
    assert fetched.stored
    assert fetched.names == ("cat", "hot air balloon")
    assert [len(split.labels) for split in (fetched.train, fetched.validation, fetched.test)] == [1_400, 200, 400]
    whole = fetched.train.images[np.arange(1_400)]
    bitmaps = np.load(io.BytesIO(quickdraw._sample()["numpy_bitmap/cat.npy"]))
    parts = [whole[:700], fetched.validation.images[:100], fetched.test.images[:200]]
    found = np.concatenate(parts).reshape(1_000, 784)
    assert sorted(map(bytes, found)) == sorted(map(bytes, bitmaps))
    np.testing.assert_array_equal(fetched.train.labels[np.array([0, 699, 700, 1_399])], [0, 0, 1, 1])


def test_at_most_so_many_of_a_class_are_held_out():
    validation, test = quickdraw.held_out(120_000)
    assert len(validation) == len(test) == 300
    assert len(np.union1d(validation, test)) == 600
    assert test.max() < 120_000
    np.testing.assert_array_equal(test, quickdraw.held_out(120_000)[1])


def npy_head(head):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, head)
    return file.getvalue()


def test_a_file_that_is_no_bitmaps_is_refused(bucket, cache):
    folder, _ = bucket
    np.save(folder / "numpy_bitmap" / "cat.npy", np.zeros((5, 9)))
    with pytest.raises(UsageError, match=r"float64 \(5, 9\), not uint8"):
        datasets.load("quickdraw:cat,tree")
    head = {"descr": "|u1", "fortran_order": False, "shape": (10**30, 784)}
    for content in (b"<html>not here</html>", b"", b"\x93NUMPY", npy_head(head), npy_head(head | {"shape": (5, 784)})):
        (folder / "numpy_bitmap" / "cat.npy").write_bytes(content)
        with pytest.raises(UsageError, match="not the published file"):
            datasets.load("quickdraw:cat,tree")
    assert not (cache / "quickdraw" / "numpy_bitmap" / "cat.npy").exists()


def test_official_strokes_become_pictures_and_malformed_lines_are_counted(bucket, capsys):
    folder, asked = bucket
    file = folder / "simplified" / "cat.ndjson"
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:3], b"torn", *lines[3:]]) + b"\n")
    fetched = datasets.load("quickdraw-strokes:cat,tree")
    assert "cat.ndjson, line 4: not JSON" in (err := capsys.readouterr().err)
    assert "1 of 26 lines were skipped" in err
    assert fetched.shape == (28, 28, 3)
    assert len(fetched.train.labels) == 2 * (25 - 2 - 5)
    validation, test = quickdraw.held_out(25)
    kept = np.delete(np.arange(25), np.concatenate([validation, test]))
    ours = np.stack([strokes.in_order(strokes.parse(lines[row]).strokes) for row in kept])
    np.testing.assert_array_equal(fetched.train.images[np.arange(18)], ours)
    count = len(asked)
    datasets.load("quickdraw-strokes:cat,tree")
    assert len(asked) == count
    assert "line 4" not in capsys.readouterr().err  # drawn once


@pytest.mark.parametrize(
    ("name", "pattern", "made", "requests"),
    [("quickdraw", "numpy_bitmap/cat.npy", "fetched", 2), ("quickdraw-strokes", "strokes/cat.*.npy", "drawn", 0)],
)
def test_drawings_overwritten_in_place_are_noticed_on_the_next_load(
    bucket, cache, capsys, name, pattern, made, requests
):
    _, asked = bucket
    first = datasets.load(f"{name}:cat,tree")
    (file,) = (cache / "quickdraw").glob(pattern)
    content, count = file.read_bytes(), len(asked)
    with open(file, "r+b") as opened:
        opened.seek(1_000)
        opened.write(b"?" * (len(content) - 2_000))
    again = datasets.load(f"{name}:cat,tree")
    assert f"{file}: its content is not what was {made}" in capsys.readouterr().err
    assert file.read_bytes() == content  # fetched, or drawn, anew
    assert len(asked) == count + requests
    assert again.checksum == first.checksum
    np.testing.assert_array_equal(again.test.images, first.test.images)


def test_damaged_strokes_are_not_drawn(bucket, cache, capsys):
    _, asked = bucket
    first = datasets.load("quickdraw-strokes:cat,tree")
    for file in (cache / "quickdraw").glob("strokes/cat.*"):
        file.unlink()
    lines = cache / "quickdraw" / "simplified" / "cat.ndjson"
    content, count = lines.read_bytes(), len(asked)
    lines.write_bytes(content[:1_000] + b"7" + content[1_001:])
    again = datasets.load("quickdraw-strokes:cat,tree")
    assert f"{lines}: its content is not what was fetched" in capsys.readouterr().err
    assert len(asked) == count + 2
    np.testing.assert_array_equal(again.test.images, first.test.images)


def test_training_from_files_learns_and_repeats_itself(bucket):
    fetched = datasets.load("quickdraw:cat,hot air balloon")
    trainer = Trainer(
        Training("lenet5-relu", epochs=4, batch_size=32, measures=Measures(map_at=3, mistakes=5)), fetched
    )
    outcome = trainer.run(1)
    assert outcome["metrics"]["test_accuracy"] > 0.85  # seeds 0 to 5: 0.98
    assert outcome["metrics"]["test_map3"] == pytest.approx((1 + outcome["metrics"]["test_accuracy"]) / 2)
    assert trainer.feed.images.shape[0] is None
    assert len(trainer.feed.images.value()) <= 100 * 32  # what one call needs, and no more
    weights = [variable.numpy() for variable in trainer.model.variables]
    assert trainer.run(1)["misread"] == outcome["misread"]
    for variable, before in zip(trainer.model.variables, weights, strict=True):
        np.testing.assert_array_equal(variable, before)


def test_an_epoch_shows_every_stored_picture_once(bucket):
    trainer = Trainer(Training("linear", epochs=1, batch_size=50), datasets.load("quickdraw:cat,tree"))
    order = trainer.order(0, 0)
    places = np.concatenate([order[start : start + 50] for start in range(0, 1_400, 50)])
    assert sorted(places) == list(range(1_400))
    local = trainer.feed.on_device(places[:100])
    np.testing.assert_array_equal(trainer.feed.images.numpy()[local], trainer.dataset.train.images[places[:100]])
    np.testing.assert_array_equal(trainer.feed.labels.numpy()[local], trainer.dataset.train.labels[places[:100]])


def test_a_recipe_that_needs_a_place_for_every_picture_is_refused(bucket):
    fetched = datasets.load("quickdraw:cat,tree")
    for wrong in ({"view": View(Canvas(56))}, {"examples": 10}, {"steps_per_epoch": 3}):
        with pytest.raises(UsageError, match="stays in files"):
            Trainer(Training("linear", **wrong), fetched)


@pytest.mark.slow
def test_merged_channels_are_the_whole_drawing_in_training_and_test():
    drawn = datasets.load("quickdraw-strokes")
    trainer = Trainer(Training("lenet5-relu", epochs=1, view=View(merged_channels=True)), drawn)
    batch = Batch(np.arange(9, dtype="int32"), np.array([0, 0], "int32"), 0, 9)
    shown = trainer.show(drawn.train.images[:9], batch).numpy()
    np.testing.assert_array_equal(shown, trainer.view(drawn.train, 0).images[:9])
    for channel in range(3):
        np.testing.assert_array_equal(shown[..., channel], drawn.train.images[:9].max(axis=-1))


def test_details_are_those_of_the_answers():
    trainer = Trainer(Training("linear", epochs=1, measures=Measures(map_at=3, mistakes=4)), datasets.load("quickdraw"))
    outcome = trainer.run(0)
    right = sum(count for own, said, count in outcome["confusions"] if own == said)
    assert right / 2_000 == pytest.approx(outcome["metrics"]["test_accuracy"])
    assert outcome["metrics"]["test_accuracy"] < outcome["metrics"]["test_map3"] < 1
    assert len(outcome["mistakes"]) == 4
    assert {mistake["picture"] for mistake in outcome["mistakes"]} <= set(outcome["misread"]["test"])
    assert outcome["classes"] == list(quickdraw.SAMPLE)
    assert outcome["facts"]["classes"] == 10


def test_mistakes_of_most_seeds_come_first():
    def record(*mistakes):
        found = [dict(zip(("picture", "class", "said", "percent"), m, strict=True)) for m in mistakes]
        return Record({}, "finished", details={"mistakes": found})

    seeds = [record((5, 0, 1, 99.0), (7, 2, 3, 80.0)), record((7, 2, 3, 90.0), (5, 0, 2, 99.5))]
    found = figure.surprising(seeds, 3)
    assert found == [(7, 2, 3, 85.0, 2), (5, 0, 2, 99.5, 1), (5, 0, 1, 99.0, 1)]


def test_a_long_list_of_classes_is_a_file_name_still():
    run = Run("quickdraw", "vgg-6", "quickdraw:" + ",".join(quickdraw.categories()), Training("vgg-6"), 0)
    assert len(run.key) < 100
    assert run.key.startswith("vgg-6.quickdraw.")
