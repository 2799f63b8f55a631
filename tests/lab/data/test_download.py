"""Downloads from a real server on this machine: resumed, verified, and never half under their names."""

import base64
import hashlib
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from lab.data import datasets, download, sources
from lab.errors import UsageError

CONTENT = bytes(range(256)) * 16_000  # 4 MB


class Server(ThreadingHTTPServer):
    """Serves one file as Google's storage does; what its attributes say goes wrong."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.version = CONTENT, '"v1"'
        self.hashes = f"crc32c=AAAAAA==, md5={base64.b64encode(hashlib.md5(CONTENT).digest()).decode()}"
        self.ranges, self.stop_after, self.broken = True, None, 0
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/hot%20air%20balloon.npy"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.head(200, len(self.server.content))

    def head(self, code, length):
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", self.server.version)
        if self.server.hashes:
            self.send_header("x-goog-hash", self.server.hashes)
        self.end_headers()

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range", "")
        server.asked.append((self.path, asked))
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.ranges else 0
        rest = server.content[start:]
        self.head(206 if start else 200, len(rest))
        if server.stop_after is not None and server.broken:
            server.broken -= 1
            rest = rest[: server.stop_after]
        self.wfile.write(rest)

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def no_check(file):
    pass


def test_a_file_is_fetched_whole_and_not_again(server, tmp_path):
    file, heard = tmp_path / "deep" / "a.npy", []
    md5 = download.fetch(server.url, file, no_check, lambda *event: heard.append(event))
    assert file.read_bytes() == CONTENT
    assert md5 == hashlib.md5(CONTENT).hexdigest() == download.known(file)
    assert heard[-1] == ("a.npy", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    assert server.asked == [("/hot%20air%20balloon.npy", "")]
    download.fetch(server.url, file, no_check)
    assert len(server.asked) == 1
    assert {path.name for path in file.parent.iterdir()} <= {"a.npy", "a.npy.json", ".lock-a.npy"}


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_taken_up_where_it_broke(server, tmp_path, ranges):
    server.ranges, server.stop_after, server.broken = ranges, 1_500_000, 2
    file = tmp_path / "a.npy"
    download.fetch(server.url, file, no_check)
    assert file.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [
        "",
        "bytes=1048576-",  # whole pieces are kept
        "bytes=2097152-" if ranges else "bytes=1048576-",
    ]


def test_a_later_call_goes_on_from_what_is_there(server, tmp_path):
    file = tmp_path / "a.npy"

    def interrupted(name, done, total):
        if done == download.PIECE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.fetch(server.url, file, no_check, interrupted)
    assert not file.exists()
    download.fetch(server.url, file, no_check)
    assert file.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["", "bytes=1048576-"]


def test_nothing_is_resumed_of_a_file_that_has_changed(server, tmp_path):
    file = tmp_path / "a.npy"
    part = part_of_version_1(file)
    part.write_bytes(b"old" * 1_000)
    server.version, server.content, server.hashes = '"v2"', CONTENT[::-1], ""
    download.fetch(server.url, file, no_check)
    assert file.read_bytes() == CONTENT[::-1]
    assert part.exists()  # of the old version, and of no account


def part_of_version_1(file):
    return file.with_name(f".part-{hashlib.sha256(b'v1').hexdigest()[:8]}-{file.name}")


def test_a_server_that_never_sends_all_is_one_message_and_the_beginning_stays(server, tmp_path):
    server.stop_after, server.broken, file = 0, 99, tmp_path / "a.npy"
    part_of_version_1(file).write_bytes(CONTENT[:5_000])
    with pytest.raises(UsageError, match=r"5,000 of 4,096,000 bytes are kept"):
        download.fetch(server.url, file, no_check)
    assert not file.exists()
    server.broken = 0
    download.fetch(server.url, file, no_check)
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("what", ["md5", "etag", "check", "resumed"])
def test_what_is_not_the_published_file_is_refused_and_gone(server, tmp_path, what):
    file, check = tmp_path / "a.npy", no_check
    other = hashlib.md5(b"other")
    if what == "md5":
        server.hashes = f"md5={base64.b64encode(other.digest()).decode()}"
    elif what == "etag":
        server.hashes, server.version = "", f'"{other.hexdigest()}"'
    elif what == "resumed":  # the beginning is not what the server has
        part_of_version_1(file).write_bytes(b"?" * 1_000)
    else:

        def check(path):
            raise ValueError("it holds float64 (3, 3)")

    with pytest.raises(UsageError, match="not the published file"):
        download.fetch(server.url, file, check)
    assert not file.exists()
    assert not list(tmp_path.glob(".part-*"))


def test_no_server_and_no_file_are_one_message(server, tmp_path):
    with pytest.raises(UsageError, match="cannot be had"):
        download.fetch("http://127.0.0.1:9/a.npy", tmp_path / "a.npy", no_check)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="CNN_CACHE"):
        download.fetch(server.url, tmp_path / "file" / "a.npy", no_check)


def test_a_note_of_an_earlier_version_has_no_sha256(server, tmp_path):
    file = tmp_path / "a.npy"
    md5 = download.fetch(server.url, file, no_check)
    note = json.loads(file.with_name("a.npy.json").read_text())
    assert note.pop("sha256") == hashlib.sha256(CONTENT).hexdigest()
    file.with_name("a.npy.json").write_text(json.dumps(note))
    assert download.known(file) == md5
    file.write_bytes(overwritten(CONTENT))
    assert download.known(file) is None


def overwritten(content):
    return content[:2_000_000] + b"?" * 55_000 + content[2_055_000:]


def one_bit(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("spoil", [lambda content: content[:-1], overwritten, one_bit])
def test_a_file_whose_content_has_changed_is_named_set_aside_and_fetched_anew(server, tmp_path, capsys, spoil):
    file = tmp_path / "a.npy"
    download.fetch(server.url, file, no_check)
    before = file.stat()
    file.write_bytes(spoil(CONTENT))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # nothing but the content tells
    assert download.known(file) is None
    download.fetch(server.url, file, no_check)
    assert file.read_bytes() == CONTENT
    assert download.known(file)
    assert f"{file}: its content is not what was fetched" in capsys.readouterr().err
    assert file.with_name("a.npy.corrupt").read_bytes() == spoil(CONTENT)


@pytest.mark.parametrize("note", [None, "", "{", "[]", "{}", "3", '{"bytes": "x", "md5": 3}'])
def test_a_file_without_its_note_is_fetched_anew(server, tmp_path, note):
    file = tmp_path / "a.npy"
    download.fetch(server.url, file, no_check)
    if note is None:
        file.with_name("a.npy.json").unlink()
    else:
        file.with_name("a.npy.json").write_text(note)
    assert download.known(file) is None
    assert download.fetch(server.url, file, no_check) == download.known(file)
    assert len(server.asked) == 2


def test_a_data_set_in_one_file_goes_on_where_it_broke_and_leaves_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_CACHE", str(tmp_path))
    server.stop_after, server.broken = 1_500_000, 1
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    arrays = sources.downloaded(server.url, lambda file: {"x": np.fromfile(file, "uint8")}, sha256)
    assert arrays["x"].tobytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["", "bytes=1048576-"]
    assert not [path for path in (tmp_path / "downloads").iterdir() if not path.name.startswith(".lock")]


def test_a_data_set_of_another_content_is_named_and_not_read(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_CACHE", str(tmp_path))
    problems = []
    source = sources.local("its host", lambda: sources.downloaded(server.url, pytest.fail, "0" * 64))
    assert datasets._attempt(source, datasets.recipe_of("mnist"), problems) is None
    assert "its SHA-256 is not 000" in problems[0]
    assert not [path for path in (tmp_path / "downloads").iterdir() if not path.name.startswith(".lock")]
