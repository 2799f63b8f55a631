"""Every experiment on every data set is refused in one line before anything starts, or can run."""

import importlib
import itertools

import numpy as np
import pytest

import cnn_models
from cnn_models.zoo import MODELS, Takes
from lab.command.arguments import parser
from lab.command.main import call_of, main
from lab.command.plan import plan
from lab.data import datasets
from lab.data.datasets import Dataset, Split
from lab.declare import catalogue, fits
from lab.declare.outline import Outline
from lab.declare.recipe import Canvas, Measures, Training, View
from lab.errors import UsageError
from lab.learn.training import Trainer

LEARNING = [name for name in catalogue.names() if catalogue.find(name).dataset in datasets.DATASETS]
SETS = (*datasets.DATASETS, "quickdraw:cat,dog", "quickdraw:all", "quickdraw-strokes:cat,dog")
COLOUR = (32, 32, 3)


def planned(name, *words):
    return plan(catalogue.find(name), call_of(parser().parse_args(["run", name, *words])))


def shown(training, outline):
    """Height, width and channels that the network of a recipe is shown."""
    side = training.view.canvas.side if training.view.canvas else None
    channels = 1 if training.view.grey else outline.shape[2]
    return (side or outline.shape[0], side or outline.shape[1], channels)


@pytest.mark.parametrize("name", LEARNING)
def test_every_row_on_every_data_set_is_refused_in_one_line_or_its_network_can_be_built(name):
    networks = set()
    for dataset, variant in itertools.product(SETS, catalogue.find(name).variants):
        found = settings_or_refusal(name, dataset, variant.name)
        if isinstance(found, str):
            assert "\n" not in found
            assert dataset in found
            assert variant.name in found
        elif isinstance(found, Training):
            options = tuple((found.options or {}).items())
            networks.add((found.model, shown(found, datasets.outline(dataset)), options, found.measures.field_layer))
    for name, shape, options, measured in networks:
        network = cnn_models.build(name, shape, 10, **dict(options))
        assert network.input_shape[1:] == shape
        assert measured is None or network.get_layer(measured)


def settings_or_refusal(name, dataset, variant):
    try:
        (run,) = planned(name, "--dataset", dataset, "--variants", variant, "--seeds", "1")
    except UsageError as error:
        return str(error)
    return run.settings


@pytest.mark.parametrize("name", LEARNING)
def test_what_is_declared_can_be_planned(name):
    assert planned(name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("shift --dataset quickdraw --classes cat,dog", "stays in files, so a recipe with canvas"),
        ("lenet --dataset cifar-10", "VARIANTS=lenet5-small-batches,lenet5,lenet5-relu,lenet5-relu-distorted"),
        ("lenet --dataset cifar-10 --variants lenet1,lenet4", "Choose another data set"),
        ("lenet --dataset cifar-10", "lenet1 takes pictures of 28×28 pixels, not 32×32"),
        ("lenet --dataset quickdraw-strokes", "lenet5-1998 tells 10 classes apart, not 345"),
        ("relearning --dataset cifar-10", "relearning takes pictures of 1 channel, not 3"),
        ("image-to-image --dataset quickdraw-strokes", "image-to-image takes pictures of 1 channel, not 3"),
        ("image-to-image --dataset quickdraw --classes cat,dog", "needs its pictures in memory"),
        ("features --dataset quickdraw --classes cat,dog", "needs its pictures in memory"),
        ("weight-sharing --dataset quickdraw:cat,dog", "a recipe with examples"),
        ("tune --dataset quickdraw:cat,dog", "cannot be joined"),
        ("tune --dataset cifar-10 --variant lenet1", "lenet1 takes pictures of 28×28"),
        ("lenet depth-sweep --dataset quickdraw --classes cat,dog", "lenet5-1998 tells 10 classes"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(words, message, tmp_path, capsys):
    assert main(["run", *words.split(), "--results", str(tmp_path / "r")]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert not out
    assert not (tmp_path / "r").exists()


def test_a_class_that_was_asked_for_is_one_of_the_classes():
    (settings,) = {run.settings for run in planned("photographs", "--variants", "convnet-8", "--seeds", "1")}
    assert fits.recipe_refusal(settings, datasets.outline("quickdraw-strokes:cat,dog")) is None
    assert "no class 'cat'" in str(fits.recipe_refusal(settings, datasets.outline("quickdraw-strokes:dog,bee")))


@pytest.mark.parametrize("name", ["compare-fc", "stride-vs-pooling"])
def test_these_run_on_colour_pictures(name):
    assert {run.dataset for run in planned(name, "--dataset", "cifar-10")} == {"cifar-10"}


@pytest.mark.parametrize("name", MODELS)
def test_a_network_takes_what_the_zoo_says_and_no_smaller_picture(name):
    takes = MODELS[name].takes
    side, classes = takes.side or takes.least, takes.classes or 3
    for channels in (1, 3):
        assert cnn_models.build(name, (side, side, channels), classes).output_shape == (None, classes)
    with pytest.raises(ValueError, match=f"{name} (takes|needs|tells)"):
        cnn_models.build(name, (side - 1, side - 1, 1), classes)
    if takes.side is None and takes.least > 1:  # the builder itself can make no smaller one
        module, function = MODELS[name].builder.split(".")
        builder = getattr(importlib.import_module(f"cnn_models.networks.{module}"), function)
        with pytest.raises(ValueError, match=r"\S"):
            builder(name=name, input_shape=(side - 1, side - 1, 1), classes=classes, **MODELS[name].options)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("blocks16", (28, 28, 1), "blocks of 16 pixels do not divide 28×28"),
        ("blocks4", (28, 28, 1), None),
        ("permuted_channels", (28, 28, 1), "only three channels have other orders, not 1"),
        ("edges", (28, 28, 2), "pictures of 2 channels have no luminance"),
        ("two_tones", (28, 28, 3), None),
    ],
)
def test_an_alteration_is_refused_on_pictures_that_it_is_not_for(name, shape, message):
    outline = Outline("it", shape, 10, 9)
    for training in (
        Training("linear", view=View(alteration=name)),
        Training("linear", measures=Measures(test_alterations=(name,))),
    ):
        assert fits.recipe_refusal(training, outline) == message
    grey = fits.recipe_refusal(Training("linear", view=View(grey=True)), Outline("it", (28, 28, 2), 10, 9))
    assert grey == "pictures of 2 channels have no luminance"


def test_sizes_that_are_not_known_are_not_refused():
    assert Takes(least=9).refusal("it", (None, 9, 1), 2) is None
    assert Takes(least=9).refusal("it", (None, 8, 1), 2)
    assert cnn_models.build("reduce-max", (None, None, 3)).input_shape == (None, None, None, 3)


@pytest.mark.parametrize("name", ["digits", "quickdraw", "quickdraw-strokes", "mnist"])
def test_what_is_known_beforehand_is_what_is_loaded(name):
    assert datasets.load(name).outline == datasets.outline(name)


def colour(count):
    draw = np.random.default_rng(count)
    return Split(draw.integers(0, 256, (count, *COLOUR), "uint8"), draw.integers(0, 10, count).astype("uint8"))


def test_a_trainer_refuses_what_a_plan_refuses():
    pictures = Dataset("colour", "", colour(64), colour(20), colour(20))
    for training, message in (
        (Training("lenet4"), "28×28"),
        (Training("linear", view=View(Canvas(30))), "32×32 pixels do not fit on a canvas of 30×30"),
        (Training("linear", view=View(Canvas(40, object_side=30), alteration="blocks8")), "do not divide 30×30"),
        (Training("linear", measures=Measures(error_of="cta")), "colour has no class 'cta'"),
    ):
        assert message in fits.recipe_refusal(training, pictures.outline)
        with pytest.raises(UsageError, match=message):
            Trainer(training, pictures)
    with pytest.raises(UsageError, match="Did you mean blocks8"):
        View(alteration="block8")
    assert fits.recipe_refusal(Training("linear", view=View(Canvas(30))), Outline("small", (28, 28, 1), 10, 9)) is None
