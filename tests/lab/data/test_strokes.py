"""Drawings as strokes: every line of the sample, Google's own bitmaps of the same drawings, and wrong lines."""

import io
import json

import numpy as np
import pytest

from lab.data import quickdraw, strokes

FILES = quickdraw._sample()
NDJSON = sorted(name for name in FILES if name.endswith(".ndjson"))


def lines(file):
    return strokes.Lines(file, FILES[file].splitlines())


def correlation(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def test_every_line_of_every_file_is_a_drawing_of_its_class():
    assert len(NDJSON) == 344 + 11
    for file in NDJSON:
        found = lines(file)
        drawings = list(found)
        assert found.malformed == 0
        assert len(drawings) == len(FILES[file].splitlines()) > 0
        assert {drawing.word for drawing in drawings} == {file.split("/")[1].removesuffix(".ndjson")}
    simplified = [d for file in NDJSON if file.startswith("simplified") for d in lines(file)]
    assert len(simplified) == 8_600
    assert sum(drawing.recognised for drawing in simplified) == 7_920
    assert all(stroke.min() >= 0 and stroke.max() <= 255 for d in simplified for stroke in d.strokes)


@pytest.mark.parametrize("name", [name for name in quickdraw.SAMPLE if name != "rainbow"])
def test_our_pictures_are_googles_bitmaps_of_the_same_drawings(name):
    bitmaps = np.load(io.BytesIO(FILES[f"numpy_bitmap/{name}.npy"]))
    ours = [strokes.flat(drawing.strokes) for drawing in lines(f"simplified/{name}.ndjson")]
    found = [correlation(picture, bitmap) for picture, bitmap in zip(ours, bitmaps, strict=False)]
    assert len(found) == 25
    assert min(found) > 0.98
    assert np.mean(found) > 0.994
    assert all(
        np.argmax([correlation(picture, other) for other in bitmaps[:25]]) == n for n, picture in enumerate(ours)
    )


@pytest.mark.parametrize("name", quickdraw.SAMPLE)
def test_both_formats_of_one_drawing_give_one_picture(name):
    raw = {drawing.key: drawing for drawing in lines(f"raw/{name}.ndjson")}
    both = [(drawing, raw[drawing.key]) for drawing in lines(f"simplified/{name}.ndjson") if drawing.key in raw]
    assert len(both) >= 14
    for first, second in both:
        assert len(first.strokes) == len(second.strokes)
        assert correlation(strokes.flat(first.strokes), strokes.flat(second.strokes)) > 0.98
    # What the simplified format leaves out is not spread evenly over the way, so thirds differ a little.
    orders = [correlation(strokes.in_order(first.strokes), strokes.in_order(second.strokes)) for first, second in both]
    assert np.mean(orders) > 0.9
    assert min(orders) > 0.7


def drawing(*points):
    return strokes.Drawing("line", "0", True, tuple(np.array(stroke, "float64") for stroke in points))


def test_channels_are_thirds_of_the_pens_way():
    picture = strokes.in_order(drawing([[0, 0], [255, 0]]).strokes)
    columns = [np.flatnonzero(picture[..., part].any(axis=0)) for part in range(3)]
    middles = [column.mean() for column in columns]
    assert middles == pytest.approx([13.5 - 255 * 28 / 304 / 3, 13.5, 13.5 + 255 * 28 / 304 / 3], abs=0.5)
    backwards = strokes.in_order(drawing([[255, 0], [0, 0]]).strokes)
    assert correlation(backwards, picture[..., ::-1]) > 0.98
    # Six strokes of one length: two in each channel.
    rows = strokes.in_order(drawing(*[[[0, y], [255, y]] for y in range(0, 256, 51)]).strokes)
    firsts = [np.flatnonzero(rows[..., part].any(axis=1))[0] for part in range(3)]
    assert firsts[0] < firsts[1] < firsts[2]


def test_the_brightest_channel_is_the_drawing():
    for name in ("cat", "bicycle"):
        for one in lines(f"simplified/{name}.ndjson"):
            assert np.abs(strokes.in_order(one.strokes).max(axis=-1).astype(int) - strokes.flat(one.strokes)).mean() < 5


@pytest.mark.parametrize(
    "points", [[[[3, 3]]], [[[3, 3]], [[90, 8]]], [[[0, 0], [9, 0]], [[5, 5]]], [[[1, 1], [1, 1]]]]
)
def test_dots_are_drawn_once(points):
    dots = drawing(*points).strokes
    picture = strokes.in_order(dots)
    assert picture.any()
    assert np.abs(picture.max(axis=-1).astype(int) - strokes.flat(dots)).max() < 60


GOOD = FILES["simplified/cat.ndjson"].splitlines()[0]
WRONG = {
    "torn": GOOD[:100],
    "not JSON": b"cat",
    "not UTF-8": b"\xff" + GOOD,
    "a list": b"[1, 2]",
    "no drawing": b'{"word": "cat"}',
    "no strokes": b'{"word": "cat", "drawing": []}',
    "a word that is a number": b'{"word": 3, "drawing": [[[1], [2]]]}',
    "one axis": b'{"word": "cat", "drawing": [[[1, 2]]]}',
    "four axes": b'{"word": "cat", "drawing": [[[1], [2], [3], [4]]]}',
    "unequal axes": b'{"word": "cat", "drawing": [[[1, 2], [3]]]}',
    "an empty stroke": b'{"word": "cat", "drawing": [[[], []]]}',
    "text for a number": b'{"word": "cat", "drawing": [[["1"], [2]]]}',
    "true for a number": b'{"word": "cat", "drawing": [[[true], [2]]]}',
    "null": b'{"word": "cat", "drawing": [[[null], [2]]]}',
    "NaN": b'{"word": "cat", "drawing": [[[NaN], [2]]]}',
    "infinite": b'{"word": "cat", "drawing": [[[1e999], [2]]]}',
    "huge": b'{"word": "cat", "drawing": [[[1' + b"0" * 400 + b"], [2]]]}",
    "deep": b'{"word": "cat", "drawing": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_malformed_line_is_named_skipped_and_counted(kind, capsys):
    found = strokes.Lines("cat.ndjson", [GOOD, WRONG[kind], GOOD])
    assert [one.word for one in found] == ["cat", "cat"]
    assert found.malformed == 1
    message = capsys.readouterr().err
    assert message.startswith("cat.ndjson, line 2: ")
    assert message.count("\n") == 1


def test_every_beginning_of_a_line_is_malformed_but_the_whole():
    for end in range(1, len(GOOD), 7):
        with pytest.raises(strokes.Malformed):
            strokes.parse(GOOD[:end])
    assert strokes.parse(GOOD + b"\r\n").word == "cat"


def test_blank_lines_are_no_lines():
    found = strokes.Lines("f", [b"", GOOD, b"  \n"])
    assert len(list(found)) == 1
    assert found.malformed == 0


def test_a_raw_line_has_times():
    assert len(json.loads(FILES["raw/cat.ndjson"].splitlines()[0])["drawing"][0]) == 3
