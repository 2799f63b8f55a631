"""The longest runs go first."""

import pandas as pd
import pytest

from lab.command.order import longest_first
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.store.records import REFERENCE

HEAD = "variant,dataset,train_seconds_mean\n"


def runs(*variants, experiment="not-kept", seeds=2):
    return [Run(experiment, name, "digits", Training("linear"), seed) for name in variants for seed in range(seeds)]


def names(ordered):
    return [(run.variant, run.seed) for run in ordered]


def test_a_variant_that_took_longer_goes_first_with_all_its_seeds(tmp_path):
    (tmp_path / "not-kept.csv").write_text(f"{HEAD}short,digits,1.5\nfacts,digits,\nlong,digits,20\n")
    found = names(longest_first(runs("facts", "short", "long", "new"), tmp_path))
    assert found == [(name, seed) for name in ("new", "long", "short", "facts") for seed in range(2)]


DAMAGED = [b"", b"\xff\xfe", b"variant,dataset\na\n", f"{HEAD}a,digits,many\n".encode(), b'variant\n"' + b"a" * 200_000]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_without_a_table_or_with_a_damaged_one_the_order_is_the_declarations(tmp_path, content):
    asked = runs("b", "a")
    assert longest_first(asked, tmp_path) == asked
    (tmp_path / "not-kept.csv").write_bytes(content)
    assert longest_first(asked, tmp_path) == asked
    assert longest_first([], tmp_path) == []


def test_the_kept_tables_tell_before_anything_was_run_here(tmp_path):
    kept = pd.read_csv(REFERENCE / "lenet.csv").set_index("variant")["train_seconds_mean"]
    longer, shorter = sorted(("lenet1", "lenet5-1998"), key=kept.get, reverse=True)
    asked = [Run("lenet", name, "mnist", Training("linear"), 0) for name in (shorter, longer)]
    assert [run.variant for run in longest_first(asked, tmp_path)] == [longer, shorter]
    (tmp_path / "lenet.csv").write_text(f"{HEAD}{shorter},mnist,9000\n")
    assert [run.variant for run in longest_first(asked, tmp_path)] == [shorter, longer]
