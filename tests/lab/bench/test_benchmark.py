"""The benchmark, with commands that take no time. No test judges the speed of the suite."""

import math
import sys

import pandas as pd
import pytest

from lab.bench import benchmark, speed_figure
from lab.bench.contests import CONTESTS, LENET, Contest, Way
from lab.command.main import main


def printing(*values, more=""):
    told = f'{{"values": {list(values)}{more}}}'
    return lambda folder, turn: (sys.executable, "-c", f"print('a word before'); print('''{told}''')")


def test_ways_take_turns_and_ratios_are_relative_to_the_first(monkeypatch, tmp_path, capsys):
    ways = (
        Way("ours", printing(1, 2, 9, more=', "accuracy": 0.5'), prints=True),
        Way("theirs", printing(1), prints=True, convert=lambda seconds: 8 * seconds, wanted=0.6),
        Way("nobody's", printing(1), prints=True, needs="no_such_package"),
    )
    monkeypatch.setattr(benchmark, "CONTESTS", (Contest("epoch", "a thing", "seconds", ways),))
    frame = benchmark.write(tmp_path, repeats=2)
    assert capsys.readouterr().out.count("ours 2, theirs 8") == 2
    assert list(frame["way"]) == ["ours", "theirs"]
    assert list(frame["median"]) == [2, 8]
    assert list(frame["suite_by_this_median"]) == [1, 0.25]
    assert frame["accuracy_mean"][0] == 0.5
    assert math.isnan(frame["wanted_at_most"][0])
    assert frame["wanted_at_most"][1] == 0.6
    assert (tmp_path / "benchmark.svg").stat().st_size > 1000


def test_rows_of_other_contests_stay_in_the_table(monkeypatch, tmp_path):
    contests = [Contest(word, word, "seconds", (Way("ours", printing(1), prints=True),)) for word in ("epoch", "start")]
    monkeypatch.setattr(benchmark, "CONTESTS", tuple(contests))
    benchmark.write(tmp_path, repeats=1)
    table = tmp_path / "benchmark.csv"
    pd.concat([old := pd.read_csv(table), old.tail(1).assign(contest="of an earlier version")]).to_csv(
        table, index=False
    )
    frame = benchmark.write(tmp_path, ["start"], repeats=3)
    assert list(frame["contest"]) == ["epoch", "start"]
    assert list(frame["repeats"]) == [1, 3]


def test_a_way_that_fails_ends_the_benchmark(tmp_path, monkeypatch):
    for command, message in (
        (lambda folder, turn: (sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        (printing(1, more=', "reached": false'), "did not reach"),
    ):
        contest = Contest("epoch", "a thing", "seconds", (Way("ours", command, prints=True),))
        monkeypatch.setattr(benchmark, "CONTESTS", (contest,))
        with pytest.raises(RuntimeError, match=message):
            benchmark.write(tmp_path, repeats=1)


def test_a_rival_that_does_not_reach_the_accuracy_is_named_and_left_out(tmp_path, monkeypatch, capsys):
    failing = printing(7, more=', "reached": false, "accuracy": 0.98, "epochs": 15')
    ways = (Way("ours", printing(1), prints=True), Way("theirs", failing, prints=True))
    monkeypatch.setattr(benchmark, "CONTESTS", (Contest("epoch", "a thing", "seconds", ways),))
    assert list(benchmark.write(tmp_path, repeats=2)["way"]) == ["ours"]
    said = capsys.readouterr().out
    assert said.count("left out: theirs: 7 s a training") == 1
    assert "98.00 % after 15 epochs" in said


def test_a_way_may_take_part_in_the_first_turns_alone(tmp_path, monkeypatch):
    ways = (Way("ours", printing(1), prints=True), Way("theirs", printing(4), prints=True, turns=1))
    monkeypatch.setattr(benchmark, "CONTESTS", (Contest("epoch", "a thing", "seconds", ways),))
    frame = benchmark.write(tmp_path, repeats=3)
    assert list(frame["repeats"]) == [3, 1]
    assert list(frame["suite_by_this_median"]) == [1, 0.25]


def test_a_study_below_its_accuracy_ends_the_benchmark(tmp_path, monkeypatch):
    def study(accuracy):
        write = "import sys; open(sys.argv[1] + '/lenet.csv', 'w').write('test_accuracy_mean\\n' + sys.argv[2])"
        command = lambda folder, turn: (sys.executable, "-c", write, folder, str(accuracy))  # noqa: E731
        return Way("ours", command, table=LENET, least=0.99)

    monkeypatch.setattr(benchmark, "CONTESTS", (Contest("speedrun", "a study", "seconds", (study(0.991),)),))
    assert benchmark.write(tmp_path, repeats=1)["accuracy_mean"].tolist() == [0.991]
    monkeypatch.setattr(benchmark, "CONTESTS", (Contest("speedrun", "a study", "seconds", (study(0.989),)),))
    with pytest.raises(RuntimeError, match="did not reach"):
        benchmark.write(tmp_path, repeats=1)


def test_an_unknown_contest_or_table_gives_one_line_and_changes_no_file(tmp_path, capsys):
    assert main(["bench", "--only", "epoc", "--results", str(tmp_path)]) == 2
    assert "epoch" in capsys.readouterr().err
    table = tmp_path / "benchmark.csv"
    pd.DataFrame({"measure": ["of another kind"], "seconds": [1.0]}).to_csv(table, index=False)
    before = table.read_bytes()
    assert main(["bench", "--only", "start", "--results", str(tmp_path)]) == 2
    assert "move it away" in capsys.readouterr().err
    assert table.read_bytes() == before


def test_the_suite_comes_first_and_the_names_of_ways_are_unique():
    for contest in CONTESTS:
        assert contest.ways[0].wanted is None, "the first way is the suite itself"
        assert len({way.name for way in contest.ways}) == len(contest.ways)


def test_every_contest_has_its_panel():
    assert set(benchmark.words()) == set(speed_figure.PANELS)
