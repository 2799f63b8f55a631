"""The summary: which rows it has, whose they are, and its figure."""

import dataclasses
import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import parameters
from lab.command.main import main
from lab.declare import catalogue
from lab.declare.recipe import View
from lab.declare.run import Run
from lab.report import blocks, printing, refresh, summary
from lab.report.draw import summary_figure
from lab.report.table import csv_files, tables
from lab.store.records import Records

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "results" / "reference"


@pytest.fixture(scope="module")
def kept():
    return summary.frame(REFERENCE)


def run(folder, experiment, variant, error, dataset="mnist", seeds=3, **metrics):
    """Records of a declared row, and its experiment's table."""
    of, records = catalogue.find(experiment), Records(folder)
    records.folder(experiment).mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        values = {"test_error_percent": error + seed / 10, **metrics}
        outcome = {"status": "finished", "facts": {"params": 100, "macs": 50}, "metrics": values}
        records.save(Run(experiment, variant, dataset, of.named[variant].settings, seed), outcome)
    tables.write(of, records)


def test_the_kept_summary_is_made_of_the_kept_tables(kept):
    assert (REFERENCE / "summary.csv").read_text() == kept.to_csv(index=False)
    assert "| fully-connected-300 | 8,100,090,000 | 8,100,000,000 | 300 |" in blocks.summary_of_networks(REFERENCE)


def test_the_slides_layers_come_first(kept):
    assert kept["model"].tolist()[:2] == ["convolution-5x5-300", "fully-connected-300"]
    assert kept["params"].tolist()[:2] == [26, 300**4 + 300**2]
    assert kept["receptive_field_px"].tolist()[:2] == [5, 300]
    counted = catalogue.find("parameters").named
    assert counted["convolution-5x5-300"].settings.kernel == 5
    assert parameters.SIDE == 300


def test_altered_and_grey_pictures_are_another_view():
    assert summary.in_words(View(alteration="two_tones", grey=True)) == "two tones, in grey"
    assert summary.in_words(View()) == ""


def test_a_network_data_set_and_view_have_one_row_with_numbers(kept):
    assert tuple(kept) == summary.COLUMNS
    assert not kept.duplicated(["model", "dataset", "view"]).any()
    networks = kept.iloc[2:]
    needed = ["params", "macs", "receptive_field_px", "test_error_percent_mean", "examples", "seeds"]
    assert all(pd.api.types.is_numeric_dtype(networks[column]) for column in needed)
    assert networks[needed].notna().all(axis=None)
    assert set(networks["dataset"]) == {"mnist", "fashion-mnist", "cifar-10", "quickdraw", "quickdraw-strokes"}


def test_effective_fields_are_those_that_the_tables_measured(kept):
    measured = kept.dropna(subset=["effective_field_px"])
    assert len(measured)
    for _, row in measured.iterrows():
        found = []
        for source in row["source"].split("; "):
            name, variant = source.split("/")
            table = csv_files.read(REFERENCE / f"{name}.csv")
            found += table[table["variant"] == variant].get("effective_field_pixels_mean", pd.Series()).tolist()
        assert row["effective_field_px"] in found


def test_the_first_experiment_in_the_lectures_order_gives_the_row(tmp_path):
    run(tmp_path, "sample-efficiency", "lenet5-relu-100", 30.0)
    run(tmp_path, "sample-efficiency", "lenet5-relu-55000", 3.0)
    run(tmp_path, "lenet", "lenet5-relu", 1.0)
    (row,) = summary.frame(tmp_path).to_dict("records")
    assert (row["source"], row["examples"]) == ("sample-efficiency/lenet5-relu-55000", 55_000)
    assert np.isnan(row["shift4_error_percent"])
    run(tmp_path, "compare-fc", "lenet5-relu", 2.0, test_shift4_error_percent=20.0)
    (row,) = summary.frame(tmp_path).to_dict("records")
    assert (row["source"], row["examples"], row["shift4_error_percent"]) == ("compare-fc/lenet5-relu", 55_000, 20.0)
    assert row["test_error_percent_mean"] == pytest.approx(2.1)
    assert row["receptive_field_px"] == 16


def test_of_equal_rows_the_one_named_as_its_network_counts(tmp_path):
    run(tmp_path, "lenet", "lenet5-small-batches", 1.0)
    run(tmp_path, "lenet", "lenet5", 1.2)
    (row,) = summary.frame(tmp_path).to_dict("records")
    assert (row["source"], row["examples"], row["seeds"]) == ("lenet/lenet5", 55_000, 3)


def test_a_network_that_learned_from_distorted_pictures_is_not_beside_those_that_did_not(tmp_path):
    run(tmp_path, "lenet", "lenet5-relu", 1.0)
    run(tmp_path, "lenet", "lenet5-relu-distorted", 0.5)
    plain, distorted = summary.frame(tmp_path).to_dict("records")
    assert (plain["view"], distorted["view"]) == ("", "distorted in training")
    assert len(list(summary.groups(summary.frame(tmp_path)))) == 2


def test_a_row_with_signs_of_starved_training_comes_last_and_is_marked(tmp_path):
    run(tmp_path, "lenet", "lenet5-small-batches", 1.0)
    run(tmp_path, "lenet", "lenet5", 1.2, train_error_percent=40.0)
    (row,) = summary.frame(tmp_path).to_dict("records")
    assert row["source"] == "lenet/lenet5-small-batches"
    assert pd.isna(row["starved"])
    run(tmp_path, "lenet", "lenet5-small-batches", 1.0, train_error_percent=40.0)
    (row,) = summary.frame(tmp_path).to_dict("records")
    assert (row["source"], row["starved"]) == ("lenet/lenet5", "training error above test error")
    frame = summary.frame(tmp_path)
    assert "| lenet5† |" in printing.markdown(frame, summary.printed_columns(frame))


def test_what_else_was_measured_of_it_names_its_own_row(tmp_path):
    run(tmp_path, "lenet", "lenet5-relu", 1.0)
    run(tmp_path, "receptive-field", "trained-lenet5-relu", 0, dataset="none", effective_field_pixels=15.0)
    (row,) = summary.frame(tmp_path).to_dict("records")
    assert row["effective_field_px"] == 15
    assert row["source"] == "lenet/lenet5-relu; receptive-field/trained-lenet5-relu"


def test_other_recipes_other_data_sets_and_random_labels_are_left_out(tmp_path):
    run(tmp_path, "lenet", "lenet5-relu", 1.0, dataset="digits")
    run(tmp_path, "features", "lenet5-relu-random-labels", 90.0)
    lenet, records = catalogue.find("lenet"), Records(tmp_path)
    short = dataclasses.replace(lenet.named["lenet1"].settings, epochs=1)
    outcome = {"status": "finished", "facts": {"params": 1}, "metrics": {"test_error_percent": 5.0}}
    records.save(Run("lenet", "lenet1", "mnist", short, 0), outcome)
    tables.write(lenet, records)
    found = summary.write(tmp_path)
    assert found.empty
    assert (tmp_path / "summary.csv").read_text() == ",".join(summary.COLUMNS) + "\n"
    assert not (tmp_path / "summary.svg").exists()


def test_other_views_of_the_pictures_are_other_rows(tmp_path):
    run(tmp_path, "shift", "fc-centre", 6.0)
    run(tmp_path, "shift", "fc-left", 27.0)
    run(tmp_path, "depth-sweep", "plain-1-small", 70.0)
    run(tmp_path, "weight-sharing", "full-shuffled-10000", 5.0)
    found = summary.frame(tmp_path).set_index("source")
    views = dict(found["view"])
    assert views["shift/fc-centre"] == "in the centre on 56×56"
    assert views["depth-sweep/plain-1-small"] == "10×10 anywhere on 20×20"
    assert views["weight-sharing/full-shuffled-10000"] == "pixels shuffled"
    whole = found[found["model"] == "fc-64"]
    assert whole["receptive_field_px"].tolist() == [56, 56]  # all of the canvas


def test_a_table_that_cannot_be_read_keeps_no_other_from_the_summary(tmp_path, capsys):
    run(tmp_path, "lenet", "lenet5-relu", 1.0)
    (tmp_path / "compare-fc.csv").write_text("no,table\n1\n")
    assert summary.frame(tmp_path)["source"].tolist() == ["lenet/lenet5-relu"]
    assert "compare-fc.csv" in capsys.readouterr().err


def test_parts_are_what_can_be_compared(kept):
    titles = [title for title, _ in summary.groups(kept)]
    assert titles[:2] == [summary.LAYERS_TITLE, "mnist: 55,000 examples"]
    assert "mnist, pixels shuffled: 10,000 examples" in titles
    assert sum(len(rows) for _, rows in summary.groups(kept)) == len(kept)


def test_make_summary_prints_every_row(tmp_path, capsys):
    run(tmp_path, "lenet", "lenet5-relu", 1.0)
    assert main(["summary", "--results", str(tmp_path)]) == 0
    assert "lenet5-relu" in capsys.readouterr().out
    assert (tmp_path / "summary.svg").exists()
    (tmp_path / "empty").mkdir()
    assert main(["summary", "--results", str(tmp_path / "empty")]) == 2


def test_the_figure_is_drawn_anew_only_where_the_table_or_the_code_changed(tmp_path):
    figure = tmp_path / "summary.svg"
    run(tmp_path, "lenet", "lenet5-relu", 1.0)
    summary.write(tmp_path)
    first = figure.read_bytes()
    figure.write_bytes(b"as it was")
    summary.write(tmp_path)
    assert figure.read_bytes() == b"as it was"
    run(tmp_path, "lenet", "lenet1", 2.0)
    summary.write(tmp_path)
    second = figure.read_bytes()
    assert second not in (first, b"as it was")
    os.utime(figure, ns=(0, refresh._code_changed() - 1))
    figure_of_old_code = figure.stat().st_mtime_ns
    summary.write(tmp_path)
    assert figure.read_bytes() == second
    assert figure.stat().st_mtime_ns > figure_of_old_code


def test_the_code_that_draws_figures_is_all_of_the_report_and_of_the_experiments():
    files = {str(file.relative_to(ROOT)) for file in refresh._code()}
    assert {"lab/report/summary.py", "lab/report/draw/drawing.py", "experiments/shift/figure.py"} <= files


def boxes(figure):
    """Of the figure as drawn: the boxes of names, by name, and the middles of marks."""
    figure.draw_without_rendering()
    (axes,) = figure.axes
    found = {text.get_text(): type(text.get_window_extent()).from_extents(*_extent(text)) for text in axes.texts}
    marks = [axes.transData.transform(line.get_xydata()) for line in axes.lines if line.get_marker() in "so"]
    return axes.get_window_extent(), found, np.concatenate(marks)


def _extent(text):
    from matplotlib.text import Text

    return Text.get_window_extent(text).extents  # of the words alone, without the line to a far mark


@pytest.mark.parametrize("number", range(1, 8))
def test_names_in_the_figure_cover_neither_each_other_nor_marks(kept, number):
    title, rows = list(summary.groups(kept))[number]
    inside, names, marks = boxes(summary_figure.draw(title, rows))
    assert len(names) == len(rows)
    for (one, box), (other, beside) in itertools.combinations(names.items(), 2):
        assert not box.overlaps(beside), (one, other)
    for name, box in names.items():
        assert not any(box.contains(*mark) for mark in marks), name
        assert inside.x0 - 1 <= box.x0
        assert box.x1 <= inside.x1 + 1


def test_kinds_are_told_apart_by_shape_and_colour(kept):
    (axes,) = summary.figure(kept).axes
    marks = {(line.get_marker(), line.get_color()) for line in axes.lines if line.get_marker() in "so"}
    assert len({marker for marker, _ in marks}) == len({colour for _, colour in marks}) == 2
