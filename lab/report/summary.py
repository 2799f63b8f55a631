"""The summary: what each network costs, sees and misreads, side by side. Nothing here imports TensorFlow.

One row a network, data set and view of its pictures. Several experiments may have trained the same: the row is of
the first of them in the order of the lecture; of its rows, one that shows no sign of starved training before others;
of those, the one that learned from the most pictures, then the one that is named as the network, else the first that
is declared.
"""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from cnn_models.zoo import MODELS
from lab.data import datasets
from lab.declare import catalogue
from lab.declare.experiment import Experiment
from lab.declare.recipe import Canvas, Training, View
from lab.errors import UsageError
from lab.report import printing, refresh
from lab.report.answers.evidence_rows import judged_rows
from lab.report.language import Said
from lab.report.table import csv_files, tables
from lab.store.files import sole_writer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    "model",
    "params",
    "macs",
    "receptive_field_px",
    "effective_field_px",
    "test_error_percent_mean",
    "test_error_percent_ci95_low",
    "test_error_percent_ci95_high",
    "examples",
    "epochs",
    "shift4_error_percent",
    "dataset",
    "view",
    "seeds",
    "starved",
    "source",
)
WHOLE_NUMBERS = ("params", "macs", "receptive_field_px", "examples", "epochs", "seeds")
NUMBERS = ("effective_field_px", *COLUMNS[5:8], "shift4_error_percent")
PRINTED = (
    "model",
    "params",
    "macs",
    "receptive_field_px",
    "effective_field_px",
    "test_error_percent_mean",
    "shift4_error_percent",
    "epochs",
    "seeds",
)
ERROR, EFFECTIVE, SHIFTED = "test_error_percent", "effective_field_pixels_mean", "test_shift4_error_percent_mean"
# The slide's layers from 300×300 pixels to 300×300, rows of `parameters`, with what an output of each sees, pixels.
LAYERS = {"convolution-5x5-300": 5, "fully-connected-300": 300}
Judged = tuple[Experiment, pd.DataFrame]  # an experiment with the rows of its table that are as declared
LAYERS_TITLE = Said("One layer from 300×300 pixels to 300×300")


@dataclasses.dataclass(frozen=True)
class Trained:
    """A row of an experiment's table: a network of the zoo that was trained as declared."""

    experiment: Experiment
    variant: str
    training: Training
    row: pd.Series

    @property
    def key(self) -> tuple[str, str, str]:
        """Network, data set, and view of its pictures in words."""
        return self.training.model, str(self.row["dataset"]), shown(self.training)

    @property
    def examples(self) -> int | None:
        """Pictures it learned from."""
        return self.training.examples or datasets.outline(self.key[1]).size

    @property
    def starved(self) -> bool:
        """Whether it shows a sign of starved training."""
        return isinstance(self.row.get("starved"), str)

    @property
    def source(self) -> str:
        """Experiment and row."""
        return f"{self.experiment.name}/{self.variant}"

    def sees(self) -> int | None:
        """Side of its receptive field in pixels; None where the zoo does not say."""
        field = MODELS[self.training.model].field
        if field is None:
            return None
        if field.pixels is not None:
            return field.pixels
        canvas = self.training.view.canvas
        return canvas.side if canvas else datasets.outline(self.key[1]).shape[0]


def frame(results: Path) -> pd.DataFrame:
    """The summary of the tables in a results folder.

    Returns:
        First the slide's layers, then the networks: data sets as they are before other views of them, those that
        learned from more pictures before others, by number of parameters. Columns: `COLUMNS`.
    """
    judged = list(_judged(results))
    trained: dict[tuple[str, str, str], list[Trained]] = {}
    for row in _trained(judged):
        trained.setdefault(row.key, []).append(row)
    effective = _effective(judged)
    lines = [_line(rows, effective) for rows in trained.values()]
    sets = list(dict.fromkeys(line["dataset"] for line in lines))
    lines.sort(
        key=lambda line: (
            line["view"] != "",
            sets.index(line["dataset"]),
            line["view"],
            -(line["examples"] or 0),
            line["params"] or 0,
        )
    )
    found = pd.DataFrame([*_layers(judged), *lines], columns=list(COLUMNS))
    return found.astype(dict.fromkeys(WHOLE_NUMBERS, "Int64") | dict.fromkeys(NUMBERS, "float"))


def shown(training: Training) -> str:
    """How a network's pictures are shown, in training too, in a few words; nothing where they are shown as they are."""
    words = [in_words(training.view)] if in_words(training.view) else []
    words += ["distorted in training"] if training.distortion else []
    words += ["shifted and mirrored in training"] if training.random_crop else []
    return ", ".join(words)


def in_words(view: View) -> str:
    """How pictures are shown, in a few words; nothing where they are shown as they are."""
    words = [_on(view.canvas)] if view.canvas else []
    words += ["pixels shuffled"] if view.shuffled_pixels else []
    words += ["channels merged"] if view.merged_channels else []
    words += [view.alteration.replace("_", " ")] if view.alteration else []
    words += ["in grey"] if view.grey else []
    return ", ".join(words)


def _on(canvas: Canvas) -> str:
    where = {"centre": "in the centre", "left": "in the left half", "everywhere": "anywhere"}[canvas.positions]
    size = f"{canvas.object_side}×{canvas.object_side} " if canvas.object_side else ""
    return f"{size}{where} on {canvas.side}×{canvas.side}"


def write(results: Path) -> pd.DataFrame:
    """Writes `summary.csv` and `summary.svg` into a results folder with experiments' tables; returns the summary."""
    path, drawn = results / "summary.csv", results / "summary.svg"
    with sole_writer(results):  # tables are read under it, too, so that no older summary replaces a newer one
        found = frame(results)
        csv_files.write(found, path)
        if not refresh.is_current(drawn, path) and (drawing := figure(found)):
            from lab.report.draw import figures

            figures.save(drawing, drawn)
    return found


def groups(found: pd.DataFrame) -> Iterator[tuple[Said, pd.DataFrame]]:
    """The summary in parts that can be compared, each with its title: one data set, view and number of examples."""
    for _, rows in found.groupby(["dataset", "view", "examples"], sort=False, dropna=False):
        first = rows.iloc[0]
        if not first["dataset"]:
            yield LAYERS_TITLE, rows
            continue
        pictures = f"{first['dataset']}, {first['view']}" if first["view"] else first["dataset"]
        yield Said("{shown}: {examples:,} examples", shown=pictures, examples=first["examples"]), rows


def show(console: Console, found: pd.DataFrame) -> None:
    """Prints the summary, part by part."""
    for title, rows in groups(found):
        printing.show(console, rows, printed_columns(rows), title)


def markdown(found: pd.DataFrame) -> str:
    """The slide's layers and the first part after them as a Markdown table, and where the rest is."""
    first = list(groups(found))[:2]
    if not first:
        return "No network was trained as declared yet."
    shown = pd.concat([rows for _, rows in first])
    kinds = [
        "single layers from 300×300 to 300×300 pixels, not trained"
        if title == LAYERS_TITLE
        else f"networks that learned from {title.replace(':', ',')}"
        for title, _ in first
    ]
    return (
        f"{printing.markdown(shown, printed_columns(shown))}\n\n"
        f"From above: {'; then '.join(kinds)}. ± is half the 95 % interval of the mean over seeds. "
        f"{len(found) - len(shown)} more rows, of fewer examples, other data sets and other views of the pictures, are "
        "in [summary.csv](../results/reference/summary.csv); `make summary` prints all."
    )


def figure(found: pd.DataFrame) -> "Figure | None":
    """Test error against parameters in the first part after the layers; None where there is none."""
    from lab.report.draw import summary_figure

    title, rows = next(((title, rows) for title, rows in groups(found) if title != LAYERS_TITLE), ("", found[:0]))
    shown = rows[(rows["params"].fillna(0) > 0) & (rows["test_error_percent_mean"] > 0)]  # axes are logarithmic
    return None if shown.empty else summary_figure.draw(title, shown)


def printed_columns(rows: pd.DataFrame) -> list[str]:
    """The printed columns in which these rows have something to say."""
    return [column for column in PRINTED if rows[column].notna().any()]


def _judged(results: Path) -> Iterator[Judged]:
    """The rows of each experiment's table that are as declared; a table that cannot be read is left out."""
    for experiment in catalogue.whole():
        path = results / f"{experiment.name}.csv"
        if path.exists():
            try:
                rows = judged_rows(experiment, tables.read_of(experiment, path))
                # A table of an earlier day may have a row that is declared no more.
                yield experiment, rows[rows["variant"].isin(experiment.rows)] if len(rows) else rows
            except UsageError as error:
                print(f"{error} The summary is made without it.", file=sys.stderr)


def _trained(judged: Sequence[Judged]) -> Iterator[Trained]:
    for experiment, rows in judged:
        if experiment.search or f"{ERROR}_mean" not in rows:
            continue
        for _, row in rows.dropna(subset=[f"{ERROR}_mean"]).iterrows():
            training = experiment.named[row["variant"]].settings_on(row["dataset"])
            if isinstance(training, Training) and not (training.random_labels or training.options):
                yield Trained(experiment, row["variant"], training, row)


def _line(rows: list[Trained], effective: dict[tuple[str, str, str], tuple[float, str]]) -> dict[str, Any]:
    """The summary's row of a network on a data set, of all that trained it there, in the order of the lecture."""
    of_first = [row for row in rows if row.experiment is rows[0].experiment]
    chosen = min(of_first, key=lambda row: (row.starved, -(row.examples or 0), row.variant != row.training.model))
    shifted = next((row for row in [chosen, *rows] if pd.notna(row.row.get(SHIFTED))), None)
    seen, seen_by = chosen.row.get(EFFECTIVE), chosen.source
    if pd.isna(seen):
        seen, seen_by = effective.get(chosen.key, (None, chosen.source))
    sources = [chosen.source, seen_by, shifted.source if shifted else chosen.source]
    model, dataset, view = chosen.key
    return {
        "model": model,
        **{name: _known(chosen.row.get(name)) for name in ("params", "macs")},
        "receptive_field_px": chosen.sees(),
        "effective_field_px": seen,
        **{f"{ERROR}_{part}": chosen.row[f"{ERROR}_{part}"] for part in ("mean", "ci95_low", "ci95_high")},
        "examples": chosen.examples,
        "epochs": chosen.training.epochs,
        "shift4_error_percent": shifted.row[SHIFTED] if shifted else None,
        "dataset": dataset,
        "view": view,
        "seeds": chosen.row["seeds"],
        "starved": _known(chosen.row.get("starved")),
        "source": "; ".join(dict.fromkeys(sources)),
    }


def _known(value: Any) -> Any:
    """A value of a table; None where the table has none."""
    return None if pd.isna(value) else value


def _effective(judged: Sequence[Judged]) -> dict[tuple[str, str, str], tuple[float, str]]:
    """The effective field of networks that `receptive-field` looked at in their declared layer, with its source."""
    found = {}
    for experiment, rows in judged:
        measured = rows.dropna(subset=[EFFECTIVE]) if EFFECTIVE in rows else rows[:0]
        for _, row in measured.iterrows():
            settings = experiment.named[row["variant"]].settings
            if not hasattr(settings, "trained_by"):
                continue
            training = catalogue.find(settings.trained_by).named[settings.trained_as].settings_on(settings.trained_on)
            field = MODELS[training.model].field
            if field and field.layer == settings.layer:
                key = (training.model, settings.trained_on, shown(training))
                found[key] = row[EFFECTIVE], f"{experiment.name}/{row['variant']}"
    return found


def _layers(judged: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    for experiment, rows in judged:
        if experiment.name != "parameters":
            continue
        for variant, pixels in LAYERS.items():
            if variant in rows.index:
                row = rows.loc[variant]
                line = dict.fromkeys(COLUMNS) | {"model": variant, "dataset": "", "view": ""}
                line |= {name: row[name] for name in ("params", "macs", "seeds")}
                yield line | {"receptive_field_px": pixels, "source": f"parameters/{variant}"}
