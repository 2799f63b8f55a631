"""Every column of every table is in results/README.md."""

import re
from pathlib import Path

import pytest

from lab.declare import catalogue
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.report import summary
from lab.report.answers import ledger
from lab.report.table import csv_files, tables
from lab.store.records import Records

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "results" / "reference"
TABLES = sorted(path for path in REFERENCE.rglob("*.csv") if "runs" not in path.parts)
TOKENS = set(re.findall(r"`([^`\s]+)`", (ROOT / "results" / "README.md").read_text()))
# What stands after a measure's name, which has to be explained for itself.
PARTS = re.compile(r"_seeds_and_pictures_ci95_(low|high)$|_(mean|std|ci95_low|ci95_high)$")
DIFFERENCE = re.compile(r"_minus_baseline_(mean|ci95_low|ci95_high|effect_size|p_value|p_value_holm|detectable)$")


def explained(column):
    """Whether the page has this column, or its measure where it is one of a measure's numbers."""
    stem = DIFFERENCE.sub("", PARTS.sub("", column) if not DIFFERENCE.search(column) else column)
    return any(pattern.fullmatch(name) for pattern in PATTERNS for name in (column, stem, f"{stem}_mean"))


def pattern(token):
    """`test_loss_*` is any of these; K stands for a number; … for what has just been named."""
    words = re.escape(token).replace(r"\*", r"\w+").replace("…", r"\w+").replace("K", r"\d+")
    return re.compile(words)


# What begins with a wildcard would explain any measure whatever.
PATTERNS = [pattern(token) for token in sorted(TOKENS) if re.match(r"[a-z]", token)]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: str(path.relative_to(REFERENCE)))
def test_every_column_of_the_kept_tables_is_explained(path):
    assert not [column for column in csv_files.read(path) if not explained(column)]


def test_the_parts_of_a_measure_are_explained():
    assert {"*_mean", "*_std", "*_ci95_low", "*_ci95_high", "X_minus_baseline_*"} <= TOKENS
    assert {"effect_size", "p_value", "p_value_holm", "*_error_percent_seeds_and_pictures_ci95_low"} <= TOKENS


def test_a_column_that_nobody_explained_is_found():
    assert not explained("surprise_mean")
    assert not explained("surprise_minus_baseline_mean")
    assert not explained("mode")


def test_every_column_of_tables_made_now_is_explained(tmp_path):
    records = Records(tmp_path)
    lenet = catalogue.find("lenet")
    records.folder("lenet").mkdir(parents=True)
    for variant, epochs in (("lenet5", 15), ("lenet1", 15), ("lenet1", 2)):
        for seed in range(3):
            run = Run("lenet", variant, "mnist", Training(variant, epochs=epochs), seed)
            metrics = {"test_error_percent": 10 * (2 + seed), "test_accuracy": 0.8, "train_seconds": 1.0}
            outcome = {"status": "finished", "facts": {"params": 1, "macs": 2, "trainable_params": 1}}
            misread = {"test": list(range(2 + seed))}
            records.save(run, outcome | {"metrics": metrics, "misread": misread})
    frame, seeds = tables.table_and_seeds(lenet, records.each("lenet"))
    tables.write(lenet, records)
    judged = ledger.write(tmp_path)
    made = [frame, seeds, summary.frame(tmp_path), ledger.claims(judged), ledger.statements(judged)]
    assert "deviations" in frame
    assert "test_error_percent_seeds_and_pictures_ci95_low" in frame
    for table in made:
        assert not [column for column in table if not explained(column)]
