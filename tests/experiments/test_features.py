"""The experiment on layers: its rows, what is run for them, and its figure."""

import numpy as np
import pandas as pd
import pytest

from experiments import features
from experiments.features import figure
from lab.command.arguments import parser
from lab.command.main import call_of
from lab.command.plan import plan
from lab.errors import UsageError
from lab.store.records import Records

DECLARED = features.EXPERIMENT
VARIANTS = {variant.name: variant for variant in DECLARED.variants}


def test_every_layer_row_names_its_network_and_what_it_is_compared_with():
    for variant in DECLARED.variants:
        settings = variant.settings
        if isinstance(settings, features.Layer) and settings.condition != "random-weights":
            network = VARIANTS[features.network_name(settings.model, settings.condition)]
            assert settings.training == network.settings
    assert VARIANTS["bn-6-relu3"].against == "bn-6-relu2"
    assert VARIANTS["bn-6-random-weights-relu3"].against == "bn-6-relu3"
    assert VARIANTS["bn-6-relu1"].against is None
    with pytest.raises(UsageError, match="Did you mean trained"):
        features.Layer("bn-6", layer="relu1", condition="traind")


def test_force_reaches_the_networks_that_layers_read():
    words = ["run", "features", "--seeds", "2", "--epochs", "1", "--dataset", "digits", "--variants"]
    rows = "lenet5-relu-c1,lenet5-relu-c3,lenet5-relu-random-weights-c1"
    calm, forced = (plan(DECLARED, call_of(parser().parse_args([*words, rows, *more]))) for more in ([], ["--force"]))
    assert {run.variant for run in calm} == set(rows.split(","))
    assert [(run.variant, run.seed) for run in forced[:2]] == [("lenet5-relu", 0), ("lenet5-relu", 1)]
    assert forced[2:] == calm
    assert all(need in forced for run in calm for need in run.needs)
    together = plan(DECLARED, call_of(parser().parse_args([*words, f"lenet5-relu,{rows}", "--force"])))
    assert len({run.key for run in together}) == len(together) == len(forced)


def test_a_table_of_networks_alone_has_no_figure(tmp_path):
    frame = pd.DataFrame({"variant": ["bn-6"], "test_error_percent_mean": [1.0]})
    assert figure.draw(DECLARED, frame, Records(tmp_path)) is None


def test_the_figure_of_a_colour_data_set_is_in_colour():
    from matplotlib.figure import Figure

    model = next(iter(features.LAYERS))
    side, colours = 5, np.array([250, 120, 0], "uint8")
    found = {
        "maximised": np.tile(colours, (4, side, side, 1)),
        "patches": np.tile(colours, (4, 2, side, side, 1)),
        "kernels": np.tile(colours / 250, (4, side, side, 1)),
    }
    arrays = {features.layer_name(model, "trained", features.LAYERS[model][0]): found}
    sheet = Figure()
    figure._channels(sheet.add_subplot(), model, arrays)
    figure._details(sheet.add_subfigure(sheet.add_gridspec()[0]), arrays)
    drawn = [np.asarray(axes.images[0].get_array()) for axes in [sheet.axes[0], *sheet.subfigs[0].axes]]
    assert len(drawn) == 2
    assert drawn[0][0, 0].tolist() == colours.tolist()
    assert np.ptp(drawn[1][0, 0]) > 100
