"""Records are written atomically, verified when read, and unique for each specification and seed."""

import dataclasses
import hashlib
import json
import os
import random
from pathlib import Path

import pytest

from lab.declare.recipe import Canvas, Distortion, Measures, Training, View, with_options
from lab.declare.run import Run
from lab.declare.work import Attachment
from lab.errors import UsageError
from lab.store.checked import content, read, write
from lab.store.record import Record
from lab.store.records import Records, Unwritable

RUN = Run("lenet", "lenet5", "digits", Training("lenet5"), 0)
OUTCOME = {"status": "finished", "facts": {"params": 61_706}, "metrics": {"test_accuracy": 0.99}}


@pytest.fixture
def records(tmp_path):
    found = Records(tmp_path)
    found.folder("lenet").mkdir(parents=True)
    return found


def test_a_saved_record_is_found(records):
    assert records.find(RUN) is None
    saved = records.save(RUN, OUTCOME, Attachment(".keras", lambda path: path.write_bytes(b"weights")))
    assert records.find(RUN) == saved
    assert saved.settings["epochs"] == 15
    network = records.attachment(saved, "network")
    assert network.read_bytes() == b"weights"
    network.write_bytes(b"others")
    with pytest.raises(FileNotFoundError, match="make lenet"):
        records.attachment(saved, "network")
    assert records.of("lenet") == [saved]


@pytest.mark.parametrize("ending", [".keras", ".npz"])
@pytest.mark.parametrize("content", [None, b"", b"weight", b"weighty"])
def test_a_run_with_missing_or_damaged_attachments_counts_as_not_done(records, ending, content, capsys):
    attached = Attachment(ending, lambda path: path.write_bytes(b"weights"))
    saved = records.save(RUN, OUTCOME, attached)
    file = records.path(RUN).with_suffix(ending)
    file.unlink() if content is None else file.write_bytes(content)
    assert records.find(RUN) is None
    assert f"{file}: gone or damaged" in capsys.readouterr().err
    assert records.of("lenet") == [saved]  # its numbers still count until the run is repeated
    again = records.save(RUN, OUTCOME, attached)
    assert records.find(RUN) == again


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"dataset": "mnist"},
        {"settings": Training("lenet5", epochs=11)},
        {"settings": Training("lenet5", distortion=Distortion(1))},
    ],
)
def test_another_specification_has_another_record(records, change):
    other = dataclasses.replace(RUN, **change)
    records.save(RUN, OUTCOME)
    assert records.find(other) is None
    records.save(other, OUTCOME)
    assert len(records.of("lenet")) == 2


KEPT = Path(__file__).parents[3] / "results" / "reference" / "runs"


def test_every_kept_record_written_again_is_the_same_to_the_last_byte():
    files = sorted(KEPT.glob("*/*.json"))
    assert len(files) > 1_000
    for path in files:
        assert content(Record.from_json(read(path)).to_json()) == path.read_bytes(), path


def test_a_record_keeps_what_it_has_no_field_for():
    value = {"specification": RUN.specification(), "status": "finished", "facts": {}, "metrics": {}}
    value |= {"misread": {}, "classes": ["cat"], "network": {"file": "a.keras", "sha256": "0"}, "details": 1}
    record = Record.from_json(value)
    assert record.to_json() == value
    assert record.misread == {}
    assert record.history is None
    assert record.details == {"classes": ["cat"], "details": 1}
    assert record.attached["network"].file == "a.keras"


def test_a_view_and_measures_stand_among_the_settings_of_a_specification():
    canvas = {"side": 40, "positions": "left", "moving": False}
    settings = Training("linear", view=View(Canvas(40, "left")), measures=Measures(test_shifts=(2,), map_at=3))
    recipe = {"model": "linear", "epochs": 15, "batch_size": 128, "learning_rate": 6e-3, "warmup": 0.2}
    rest = {"weight_decay": 0.05, "canvas": canvas | {"object_side": None}, "test_shifts": [2], "map_at": 3}
    assert dataclasses.replace(RUN, settings=settings).specification()["settings"] == recipe | rest


def test_options_of_a_call_change_the_settings_that_have_them():
    changed = with_options(Training("linear", measures=Measures(map_at=3)), epochs=2, precision=None, what=1)
    assert changed == Training("linear", epochs=2, measures=Measures(map_at=3))


def test_a_setting_that_is_absent_leaves_the_specification_as_it_was():
    assert "distortion" not in RUN.specification()["settings"]
    assert "test_shifts" not in RUN.specification()["settings"]


def test_a_record_truncated_at_any_byte_is_set_aside(records, capsys):
    records.save(RUN, OUTCOME)
    path = records.path(RUN)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert records.find(RUN) is None
        assert not path.exists()
    assert path.name in capsys.readouterr().err


def test_a_record_with_a_flipped_bit_is_set_aside(records):
    records.save(RUN, OUTCOME)
    path = records.path(RUN)
    whole = path.read_bytes()
    chance = random.Random(0)
    for _ in range(1_000):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        assert records.of("lenet") == []
        assert path.with_name(path.name + ".set-aside").exists()


def test_other_files_are_not_records(records):
    records.save(RUN, OUTCOME)
    (records.folder("lenet") / "notes.json").write_text(json.dumps({"record": {}, "checksum": ""}))
    (records.folder("lenet") / "notes.txt").write_text("mine")
    assert len(records.of("lenet")) == 1
    assert (records.folder("lenet") / "notes.json.set-aside").exists()
    assert (records.folder("lenet") / "notes.txt").exists()


@pytest.mark.parametrize("name", ["lenet/{}.copy.json", "lenet/copy of {}.json", "compare-fc/{}.json"])
def test_a_copied_record_does_not_count_twice(records, name, capsys):
    saved = records.save(RUN, OUTCOME)
    path = records.path(RUN)
    copy = records.results / "runs" / name.format(path.stem)
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(path.read_bytes())
    assert records.of("lenet") == [saved]
    assert records.of("compare-fc") == []
    assert f"{copy.name}.set-aside" in capsys.readouterr().err
    assert records.find(RUN) == saved


def test_complete_files_that_are_not_records_are_set_aside(records):
    homeless = {"variant": "lenet5", "dataset": "digits", "seed": 0}
    wholes = ([], {}, {"specification": {}}, {"specification": []}, "text", 1, {"specification": homeless})
    for place, value in enumerate(wholes):
        write(records.folder("lenet") / f"{place}.json", value)
    assert records.of("lenet") == []
    assert len(list(records.folder("lenet").glob("*.set-aside"))) == len(wholes)


def with_(path, value):
    """The outcome with another value at a path of keys; without the last key if the value is `GONE`."""
    record = json.loads(json.dumps({"specification": RUN.specification(), **OUTCOME}))
    place = record
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place.pop(path[-1], None) if value is GONE else place.update({path[-1]: value})
    return record


GONE = object()
WRONG = [
    (("facts",), GONE),
    (("facts",), [1]),
    (("facts", "params"), [1]),
    (("facts", "params"), None),
    (("facts", "params"), 10**400),
    (("metrics",), GONE),
    (("metrics",), None),
    (("metrics", "test_accuracy"), "0.99"),
    (("metrics", "test_accuracy"), {"mean": 1}),
    (("status",), GONE),
    (("status",), 1),
    (("status",), "done"),
    (("misread",), [1, 2]),
    (("misread", "test"), 3),
    (("misread", "test"), ["3"]),
    (("misread", "test"), [2**70]),
    (("network",), "file.keras"),
    (("network",), {"file": "../../other.keras", "sha256": ""}),
    (("arrays",), {"file": 1, "sha256": ""}),
]


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_record_with_a_field_of_a_wrong_type_is_set_aside_and_named(records, path, value, capsys):
    good = records.save(dataclasses.replace(RUN, seed=1), OUTCOME)
    write(records.path(RUN), with_(path, value))
    assert records.of("lenet") == [good]
    said = capsys.readouterr().err
    assert f"{records.path(RUN).name}.set-aside" in said
    assert path[-1] in said or path[0] in said
    write(records.path(RUN), with_(path, value))
    assert records.find(RUN) is None  # so that the next call executes the run again


@pytest.mark.parametrize("field", ["experiment", "variant", "dataset", "settings", "seed"])
@pytest.mark.parametrize("value", [None, 1.5, ["a"], GONE])
def test_a_record_with_a_specification_of_wrong_types_is_set_aside(records, field, value):
    record = with_(("specification", field), value)
    write(records.folder("lenet") / "lenet5.digits.0123456789ab.seed0.json", record)
    assert records.of("lenet") == []
    assert len(list(records.folder("lenet").glob("*.set-aside"))) == 1


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_an_invalid_outcome_is_refused_before_anything_is_written(records, path, value):
    outcome = with_(path, value)
    del outcome["specification"]
    with pytest.raises(ValueError, match="makes no record"):
        records.save(RUN, outcome)
    assert not list(records.folder("lenet").iterdir())


@pytest.mark.parametrize("text", [b"nothing JSON", b"null", b"[" * 100_000, b'"\xff"'])
def test_invalid_json_with_a_right_checksum_is_not_a_record(records, text):
    checksum = hashlib.sha256(text).hexdigest().encode()
    records.path(RUN).write_bytes(b'{"checksum":"%s","record":' % checksum + text + b"}")
    assert records.of("lenet") == []
    assert records.find(RUN) is None
    assert records.path(RUN).with_name(f"{records.path(RUN).name}.set-aside").exists()


def test_non_finite_settings_make_no_record(records):
    text = json.dumps(with_(("specification", "settings", "learning_rate"), float("nan"))).encode()
    checksum = hashlib.sha256(text).hexdigest().encode()
    records.path(RUN).write_bytes(b'{"checksum":"%s","record":' % checksum + text + b"}")
    assert records.of("lenet") == []


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_folder_or_pipe_in_place_of_a_record_is_set_aside(records, make, capsys):
    saved = records.save(dataclasses.replace(RUN, seed=1), OUTCOME)
    make(records.folder("lenet") / "x.json")
    make(records.path(RUN))
    assert records.find(RUN) is None
    assert records.of("lenet") == [saved]
    assert capsys.readouterr().err.count("not a file. Set aside as") == 2


def test_a_file_that_cannot_be_set_aside_is_named_and_not_counted(records, capsys):
    saved = records.save(RUN, OUTCOME)
    (records.folder("lenet") / "x.json").write_text("{}")
    (records.folder("lenet") / "x.json.set-aside" / "full").mkdir(parents=True)
    assert records.of("lenet") == [saved]
    assert "x.json: not a whole record. It cannot be set aside" in capsys.readouterr().err


def test_the_temporary_file_of_a_killed_writer_is_never_counted(records, capsys):
    records.save(RUN, OUTCOME)
    path = records.path(RUN)
    part = path.with_name(f".part-{path.name}")
    part.write_bytes(path.read_bytes())
    assert len(records.of("lenet")) == 1
    part.write_bytes(b"half")
    assert len(records.of("lenet")) == 1
    assert part.exists()
    assert not capsys.readouterr().err


def test_the_record_of_a_failure_is_deleted_when_the_run_succeeds(records):
    records.save_failed(RUN, "MemoryError", "last\nlines")
    assert records.find(RUN) is None
    (failed,) = records.of("lenet")
    assert (failed.status, failed.reason) == ("failed", "MemoryError")
    records.save(RUN, OUTCOME)
    assert [record.status for record in records.of("lenet")] == ["finished"]


def test_the_record_of_a_failure_is_not_counted_if_the_run_has_ended(records):
    """A call killed between writing the record and deleting the failure leaves both."""
    records.save_failed(RUN, "MemoryError", "")
    left = records._failed_path(RUN).read_bytes()
    ended = records.save(RUN, OUTCOME)
    records._failed_path(RUN).write_bytes(left)
    assert records.of("lenet") == [ended]
    records._failed_path(RUN).unlink()
    assert records.save_failed(RUN, "MemoryError", "") == ended
    assert not records._failed_path(RUN).exists()


def test_non_finite_numbers_make_a_run_diverged_and_are_named(records):
    nan, infinite = float("nan"), float("inf")
    outcome = OUTCOME | {
        "metrics": {"test_loss": nan, "test_accuracy": 0.1},
        "gradient_norms": {"before": [1.0, 2.0], "after": [1.0, infinite]},
        "maps": {"test": [[0.1, nan]]},
        "scale": -infinite,
    }
    saved = records.save(RUN, outcome)
    assert records.find(RUN) == saved
    assert saved.status == "diverged"
    assert saved.metrics == {"test_accuracy": 0.1}
    assert saved.details["gradient_norms"] == {"before": [1.0, 2.0]}
    assert sorted(saved.not_finite) == ["after", "scale", "test", "test_loss"]
    assert records.save(RUN, OUTCOME).not_finite is None


def test_an_unwritable_record_is_distinguished_from_other_errors(records):
    full = Attachment(".npz", lambda path: Path("/dev/full").write_bytes(b"arrays"))
    with pytest.raises(Unwritable, match="No space left on device"):
        records.save(RUN, OUTCOME, full)
    records._failed_path(RUN).mkdir()
    with pytest.raises(Unwritable, match="directory"):
        records.save_failed(RUN, "MemoryError", "")
    assert records.find(RUN) is None


def test_no_partly_written_file_remains(records):
    records.save(RUN, OUTCOME)
    before = records.path(RUN).read_bytes()

    def interrupted(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.save(RUN, {**OUTCOME, "metrics": {}}, Attachment(".npz", interrupted))
    assert records.path(RUN).read_bytes() == before
    assert [p.name for p in records.folder("lenet").iterdir()] == [records.path(RUN).name]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "lenet6"}, "Did you mean lenet"),
        ({"epochs": 0}, "epochs must be more than 0"),
        ({"batch_size": -1}, "batch_size must be more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"warmup": 1.0}, "warmup"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        Training(**({"model": "lenet5"} | settings))
