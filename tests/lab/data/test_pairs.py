"""Pairs of pictures: edges of digits against scipy by hand, and folders of a user's own, right and wrong."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lab.command.arguments import parser
from lab.command.main import call_of, main
from lab.command.plan import plan
from lab.data import datasets, pairs
from lab.declare import catalogue
from lab.errors import UsageError


def test_edges_are_where_the_lectures_kernel_answers(digits):
    images = digits.test.images[:20]
    found = pairs.edges(images)
    assert set(np.unique(found)) == {0, 255}
    assert found.shape == images.shape
    padded = np.pad(images[..., 0].astype(int), ((0, 0), (1, 1), (1, 1)))
    for n in range(20):
        for y in range(28):
            for x in range(28):
                window = padded[n, y : y + 3, x : x + 3]
                assert (found[n, y, x, 0] == 255) == (9 * window[1, 1] - window.sum() > 255)


def test_a_flat_area_has_no_edges_inside():
    flat = np.zeros((1, 12, 12, 1), "uint8")
    flat[:, 3:9, 3:9] = 255
    found = pairs.edges(flat)[0, ..., 0]
    assert found[4:8, 4:8].max() == 0
    assert found[3, 3:9].min() == 255
    np.testing.assert_array_equal(pairs.filled(found[np.newaxis, ..., np.newaxis]), flat)


def test_pairs_of_digits_keep_the_splits(digits):
    found = pairs.load("digits")
    for half, split in ((found.train, digits.train), (found.validation, digits.validation), (found.test, digits.test)):
        np.testing.assert_array_equal(half.targets, split.images)
        np.testing.assert_array_equal(half.inputs, pairs.edges(split.images))
        np.testing.assert_array_equal(half.labels, split.labels)


def write(folder, count, size=(32, 16), mode="RGB", start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        generator = np.random.default_rng(number)
        shape = (size[1], size[0]) + ((3,) if mode == "RGB" else ())
        Image.fromarray(generator.integers(0, 256, shape, dtype="uint8")).save(folder / f"{number:03}.png")


def test_a_folder_is_split_and_cut_in_the_middle(tmp_path):
    write(tmp_path, 30)
    (tmp_path / "notes.txt").write_text("not a picture, and not named as one")
    found = pairs.load(f"pairs:{tmp_path}")
    assert [len(half) for half in (found.train, found.validation, found.test)] == [25, 2, 3]
    assert found.train.inputs.shape[1:] == found.train.targets.shape[1:] == (16, 16, 3)
    wanted = {np.asarray(Image.open(file)).tobytes() for file in tmp_path.glob("*.png")}
    halves = (found.train, found.validation, found.test)
    joined = [np.concatenate([i, t], axis=1) for half in halves for i, t in zip(half.inputs, half.targets, strict=True)]
    assert {picture.tobytes() for picture in joined} == wanted
    assert pairs.load(f"pairs:{tmp_path}").checksum == found.checksum


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        ({"train": 12, "val": 3, "test": 4}, [12, 3, 4]),
        ({"train": 20, "test": 4}, [18, 2, 4]),
        ({"train": 20, "val": 4}, [18, 2, 4]),
    ],
)
def test_subfolders_are_the_splits_as_in_pix2pix(tmp_path, parts, sizes):
    for number, (name, count) in enumerate(parts.items()):
        write(tmp_path / name, count, mode="L", start=100 * number)
    found = pairs.load(f"pairs:{tmp_path}")
    assert [len(half) for half in (found.train, found.validation, found.test)] == sizes
    assert found.train.inputs.shape[1:] == (16, 16, 1)


def odd(folder):
    Image.new("RGB", (31, 16)).save(folder / "zz.png")


def other_size(folder):
    Image.new("RGB", (64, 16)).save(folder / "zz.png")


def tiny(folder):
    Image.new("RGB", (8, 16)).save(folder / "zz.png")


def text(folder):
    (folder / "zz.png").write_text("not a picture")


def torn(folder):
    content = (folder / "000.png").read_bytes()
    (folder / "zz.png").write_bytes(content[: len(content) // 2])


def torn_jpeg(folder):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 32, 3), dtype="uint8")).save(folder / "zz.jpg")
    content = (folder / "zz.jpg").read_bytes()
    (folder / "zz.jpg").write_bytes(content[: len(content) - 200])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (odd, "zz.png is 31×16 pixels .* even width"),
        (other_size, "zz.png is 64×16 pixels, 000.png is 32×16"),
        (tiny, "8 pixels of width and height at least"),
        (text, "zz.png cannot be read as a picture"),
        (torn, "zz.png cannot be read as a picture"),
        (torn_jpeg, "zz.jpg cannot be read as a picture"),
    ],
)
def test_pictures_that_do_not_fit_are_named(tmp_path, spoil, message):
    write(tmp_path, 12)
    spoil(tmp_path)
    with pytest.raises(UsageError, match=message):
        pairs.load(f"pairs:{tmp_path}")


def enormous(width, height):
    """A PNG whose head says that it is of this size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def decoders():
    """Real pictures of every format, damaged in every way that Pillow has an error of its own for."""
    whole = {}
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 32, 3), dtype="uint8"))
    for kind in ("png", "jpeg", "bmp", "webp"):
        file = io.BytesIO()
        noise.save(file, kind)
        whole[kind] = file.getvalue()
    yield "zz.png", enormous(30_000, 30_000)  # DecompressionBombError
    yield "zz.png", enormous(10_000, 10_000)  # DecompressionBombWarning
    yield "zz.bmp", whole["bmp"][:18] + struct.pack("<ii", 30_000, 30_000) + whole["bmp"][26:]
    draw = random.Random(0)
    for kind, content in whole.items():
        yield f"zz.{kind}", content[: len(content) // 2]
        for _ in range(40):
            damaged = bytearray(content)
            for _ in range(4):
                damaged[draw.randrange(len(content) // 2)] = draw.randrange(256)
            yield f"zz.{kind}", bytes(damaged)


def test_a_damaged_picture_is_one_line_or_read(tmp_path):
    write(tmp_path, 12)
    refused = []
    for name, content in decoders():
        (tmp_path / name).write_bytes(content)
        try:
            pairs.load(f"pairs:{tmp_path}")
        except UsageError as error:
            refused.append(str(error))
        (tmp_path / name).unlink()
    assert len(refused) > 50
    assert all("zz." in reason and "\n" not in reason for reason in refused)


def opaque(mode):
    return lambda picture: picture.convert(mode)


def transparent(picture):
    picture.putalpha(Image.new("L", picture.size, 255))
    picture.putpixel((3, 3), (9, 9, 9, 254))
    return picture


def transparent_palette(picture):
    found = picture.convert("P")
    found.info["transparency"] = found.getpixel((0, 0))
    return found


def sixteen_bits(picture):
    return Image.fromarray(np.full((16, 32), 40_000, "uint16"))


@pytest.mark.parametrize("change", [opaque("RGB"), opaque("RGBA"), opaque("P"), opaque("L"), opaque("LA"), opaque("1")])
def test_every_mode_that_is_opaque_is_read_as_it_looks(tmp_path, change):
    write(tmp_path, 12)
    for file in tmp_path.iterdir():
        change(Image.open(file)).save(file)
    wanted = {np.asarray(Image.open(file).convert("RGB")).tobytes() for file in tmp_path.iterdir()}
    found = pairs.load(f"pairs:{tmp_path}")
    halves = (found.train, found.validation, found.test)
    joined = [np.concatenate([i, t], axis=1) for half in halves for i, t in zip(half.inputs, half.targets, strict=True)]
    assert {np.broadcast_to(picture, (16, 32, 3)).tobytes() for picture in joined} == wanted


@pytest.mark.parametrize(
    ("change", "message"),
    [(transparent, "transparent"), (transparent_palette, "transparent"), (sixteen_bits, "more than 8 bits")],
)
def test_what_would_be_read_wrongly_is_refused(tmp_path, change, message):
    write(tmp_path, 12)
    change(Image.open(tmp_path / "004.png").copy()).save(tmp_path / "004.png")
    with pytest.raises(UsageError, match=rf"004.png .*{message}"):
        pairs.load(f"pairs:{tmp_path}")


def test_what_is_named_as_a_picture_is_read_by_no_other_decoder(tmp_path):
    write(tmp_path, 12)
    Image.new("RGB", (32, 16)).save(tmp_path / "zz.gif")
    (tmp_path / "zz.gif").rename(tmp_path / "zz.png")
    with pytest.raises(UsageError, match=r"zz.png cannot be read"):
        pairs.load(f"pairs:{tmp_path}")


def test_too_few_too_large_and_missing_are_said(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="There is no folder"):
        pairs.load(f"pairs:{tmp_path / 'no'}")
    with pytest.raises(UsageError, match="has 0 pictures"):
        pairs.load(f"pairs:{tmp_path}")
    write(tmp_path, 12)
    monkeypatch.setattr(pairs, "MOST_BYTES", 12 * 32 * 16 * 3 - 1)
    with pytest.raises(UsageError, match="GB of memory"):
        pairs.load(f"pairs:{tmp_path}")


def test_the_command_takes_pairs_where_they_are_of_use(tmp_path, capsys):
    asked = call_of(parser().parse_args(["run", "image-to-image", "--dataset", f"pairs:{tmp_path}", "--seeds", "1"]))
    runs = plan(catalogue.find("image-to-image"), asked)
    assert all(run.key.split(".")[1] == "pairs" for run in runs)
    assert main(["run", "image-to-image", "--dataset", f"pairs:{tmp_path}", "--results", str(tmp_path / "r")]) == 2
    assert "has 0 pictures" in capsys.readouterr().err
    assert main(["run", "lenet", "--dataset", f"pairs:{tmp_path}", "--results", str(tmp_path / "r")]) == 2
    assert "Unknown data set" in capsys.readouterr().err


def test_colour_pictures_with_classes_have_no_edges_here():
    with pytest.raises(UsageError, match="grey pictures"):
        pairs.load("quickdraw-strokes")
    assert datasets.load("quickdraw-strokes").shape[2] == 3
