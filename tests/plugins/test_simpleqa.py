"""SimpleQA is downloaded once and checked, or read from a file; every fault is named by line and column."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.dataset import read_examples
from routesdk.errors import ConfigError, DatasetError
from routesdk.host import PluginHost
from routesdk.plugins.simpleqa.download import (
    PUBLISHED_BYTES,
    PUBLISHED_SHA256,
    PUBLISHED_URL,
    cache_folder,
    fetch,
)
from routesdk.plugins.simpleqa.table import read_table
from routesdk.protocols import Benchmark
from routesdk.testing import check_benchmark
from routesdk.types import Example, Query

HEADER = "metadata,problem,answer\n"
META = "\"{'topic': 'Art', 'answer_type': 'Person', 'urls': []}\""


HOST = PluginHost(entry_points=False)


def build(**options: object) -> Benchmark:
    return HOST.benchmark("simpleqa", **options)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "own.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# The file.


def test_a_row_is_read_with_its_topic_and_the_kind_of_its_answer(tmp_path: Path) -> None:
    rows = f'{META},"Who painted ""Guernica"", and when?", Pablo Picasso \n{META},"Two\nlines?",x\n\n'

    first, second = build(file=str(write(tmp_path, HEADER + rows))).examples()

    assert first == Example(
        id="0",
        query=Query('Who painted "Guernica", and when?', metadata={"answer_type": "Person"}),
        reference="Pablo Picasso",
        topic="Art",
    )
    assert (second.id, second.query.text) == ("1", "Two\nlines?")


def test_columns_may_stand_in_another_order_beside_others_and_behind_a_byte_order_mark(
    tmp_path: Path,
) -> None:
    text = f"\ufeffnote,answer,problem,metadata\r\nmine,Me,Who?,{META}\r\n"

    (example,) = build(file=str(write(tmp_path, text))).examples()

    assert (example.query.text, example.reference) == ("Who?", "Me")


@pytest.mark.parametrize(
    ("rows", "line", "problem"),
    [
        ("", 1, "no row below its header"),
        (f"{META},Who?\n", 2, "column 'answer' is missing"),
        (f"{META},Who, and when?,Me\n", 2, "there are 4 fields and 3 columns"),
        (f"{META},ok,Me\n\n{META},  ,Me\n", 4, "column 'problem' is blank"),
        (f"{META},Who?,\n", 2, "column 'answer' is blank"),
        (f'{META},Who?,Me\n{META},"Who?" x,Me\n', 3, "column 2 is no valid CSV"),
        (f'{META},Who?,"Me\n{META},Who?,You\n', 2, "column 3 is no valid CSV"),
        (META + ',Who?,Me\n"{},Who?,You\nand\nmore\n', 3, "column 1 is no valid CSV up to line 5"),
        (f"{META},W\0ho?,Me\n", 2, "column 'problem' holds a NUL byte"),
        ("{,Who?,Me\n", 2, "column 'metadata' is no dictionary of plain values"),
        ("[],Who?,Me\n", 2, "column 'metadata' is a list"),
        ("\"{'topic': 7}\",Who?,Me\n", 2, "column 'metadata' has the 'topic' '7'"),
        (
            f"{META},{'x' * 131_073},Me\n",
            2,
            "a field has more than 131,072 characters: its text is too long",
        ),
        ("__import__('os'),Who?,Me\n", 2, "column 'metadata' is no dictionary of plain values"),
        (f"{'(' * 5_000},Who?,Me\n", 2, "column 'metadata' is no dictionary of plain values"),
    ],
)
def test_a_malformed_row_is_named_by_line_and_column(
    tmp_path: Path, rows: str, line: int, problem: str
) -> None:
    path = write(tmp_path, HEADER + rows)

    with pytest.raises(DatasetError) as caught:
        list(build(file=str(path)).examples())

    assert (caught.value.source, caught.value.line) == (str(path), line)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"", 1, "no header"),
        (b"a,b\n1,2\n", 1, "no column 'metadata'; its columns are 'a', 'b'"),
        (b"metadata,problem,answer,answer\n", 1, "the column 'answer' twice"),
        ((HEADER + f"{META},Qui?,caf").encode() + b"\xe9\n", 2, "column 3 is not UTF-8"),
        (HEADER.encode("utf-16"), 1, "column 1 is not UTF-8 (byte 1"),
    ],
)
def test_a_file_of_another_form_or_encoding_is_refused(
    tmp_path: Path, text: bytes, line: int, problem: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        list(build(file=str(write(tmp_path, text))).examples())

    assert caught.value.line == line
    assert problem in caught.value.problem


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "own.csv"
    path.write_bytes(HEADER.encode() + f"{META},Who?,Me\n".encode() + junk)
    read = read_table(path)

    assert next(read).id == "0"
    try:
        assert all(example.query.text.strip() for example in read)
    except DatasetError as error:
        assert error.line >= 2


def test_rows_are_yielded_before_the_file_is_read_to_its_end(tmp_path: Path) -> None:
    examples = build(file=str(write(tmp_path, HEADER + f"{META},Who?,Me\nbroken\n"))).examples()

    assert next(examples).reference == "Me"
    with pytest.raises(DatasetError):
        next(examples)


def test_a_topic_is_taken_alone_and_a_misspelt_one_is_named(tmp_path: Path) -> None:
    path = str(write(tmp_path, HEADER + f"{META},Who?,Me\n" + f"{META},Why?,So\n".replace("Art", "Music")))

    assert [example.id for example in build(file=path, topic="Music").examples()] == ["1"]
    with pytest.raises(ConfigError) as caught:
        list(build(file=path, topic="Musik").examples())
    assert "Art, Music" in caught.value.fix


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        list(build(file=str(tmp_path / "missing.csv")).examples())
    assert caught.value.key == "file"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"file": "a", "url": "http://b"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"topics": "x"}, "topics"),
    ],
)
def test_wrong_options_are_config_errors_that_name_the_key(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**options)
    assert caught.value.key == f"benchmark.simpleqa.{key}"


def test_the_published_file_has_the_ids_of_the_recorded_outcomes(data_folder: Path) -> None:
    benchmark = build(file=str(data_folder / "simple_qa_test_set.csv"))
    rows = {example.id: example for example in benchmark.examples()}
    recorded = list(read_examples(data_folder / "simpleqa_cs.jsonl.gz"))

    assert len(rows) == 4_326
    assert {example.query.metadata["answer_type"] for example in rows.values()} == {
        "Date",
        "Person",
        "Other",
        "Number",
        "Place",
    }
    assert all(rows[each.id].query.text == each.query.text for each in recorded)
    assert all(rows[each.id].topic == each.topic for each in recorded)


def test_the_benchmark_keeps_its_contract(data_folder: Path) -> None:
    check_benchmark(build(file=str(data_folder / "simple_qa_test_set.csv")))


# The download.


@attrs.define
class Server:
    """A server on this machine that serves one file, in one of several ways."""

    content: bytes
    way: str = "whole"
    calls: int = 0
    address: str = ""

    def url(self, path: str = "/simple_qa_test_set.csv") -> str:
        return f"http://{self.address}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        state: Server = self.server.state  # type: ignore[attr-defined]
        state.calls += 1
        self.close_connection = True
        if state.way in ("404", "503"):
            self.send_error(int(state.way))
            return
        if state.way == "mute":
            self.wfile.write(b"HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n")
            return
        if state.way == "scheme":
            self.send_response(302)
            self.send_header("Location", "odd://user:secret@127.0.0.1/?token=secret")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if state.way == "loop":
            self.send_response(302)
            self.send_header("Location", state.url(f"/{state.calls}"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = state.content + b"x" * 70_000 if state.way == "long" else state.content
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may have had enough
            self._send(state.way, body)

    def _send(self, way: str, body: bytes) -> None:
        if way == "cut":
            self.wfile.write(body[: len(body) // 2])
        elif way == "silent":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            time.sleep(1.0)
        elif way == "trickle":
            for at in range(100):
                self.wfile.write(body[at : at + 1])
                self.wfile.flush()
                time.sleep(0.02)
        else:
            self.wfile.write(body)


Serve = Callable[[bytes, str], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(content: bytes, way: str) -> Server:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        state = Server(content, way, address=f"127.0.0.1:{server.server_port}")
        server.state = state  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return state

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def published(data_folder: Path) -> bytes:
    return (data_folder / "simple_qa_test_set.csv").read_bytes()


def test_the_published_file_is_the_one_that_is_checked_for(published: bytes) -> None:
    assert hashlib.sha256(published).hexdigest() == PUBLISHED_SHA256
    assert len(published) == PUBLISHED_BYTES
    assert PUBLISHED_URL.startswith("https://")


def test_a_download_is_kept_and_made_once(
    serve: Serve, published: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(published, "whole")
    monkeypatch.setenv("ROUTESDK_CACHE", str(tmp_path / "a" / "cache"))
    benchmark = build(url=server.url())

    assert next(benchmark.examples()).id == "0"
    assert sum(1 for _ in benchmark.examples()) == 4_326

    assert server.calls == 1
    assert [file.name for file in (tmp_path / "a" / "cache").iterdir()] == ["simple_qa_test_set.csv"]


def test_a_damaged_copy_in_the_cache_is_replaced(serve: Serve, published: bytes, tmp_path: Path) -> None:
    (tmp_path / "simple_qa_test_set.csv").write_bytes(published[:-1])

    path = fetch(serve(published, "whole").url(), tmp_path)

    assert path.read_bytes() == published


@pytest.mark.parametrize(
    ("way", "problem"),
    [
        ("404", "answers 404"),
        ("503", "answers 503"),
        ("loop", "answers 302"),
        ("mute", "answers 500"),
        ("scheme", "answers 302"),
        ("cut", "broke off|only"),
        ("long", "more than"),
        ("wrong", "is not the published file: its SHA-256"),
        ("short", "only 9 of 2,012,910 bytes came"),
        ("silent", "broke off"),
        ("trickle", "took too long"),
    ],
)
def test_a_failed_download_says_to_give_a_file_and_leaves_nothing(
    serve: Serve, tmp_path: Path, way: str, problem: str
) -> None:
    server = serve(b"too short" if way == "short" else b"x" * PUBLISHED_BYTES, way)

    with pytest.raises(ConfigError, match=problem) as caught:
        fetch(
            f"{server.url()}?token=secret",
            tmp_path / "cache",
            timeout_s=0.3,
            deadline_s=0.3 if way == "trickle" else 30,
        )

    assert caught.value.key == "url"
    assert "'file'" in caught.value.fix
    assert "secret" not in str(caught.value)
    assert not list(tmp_path.rglob("*.csv*"))


def test_a_server_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be reached") as caught:
        list(build(url="http://user:hush@127.0.0.1:9/x.csv", cache=str(tmp_path)).examples())
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1:port/x.csv",
        "http://127.0.0.1:9/a b?token=secret",
        "http://user:secret@[::1/x.csv?token=secret",
        "http://user:sec\nret@127.0.0.1:9/?secret",
    ],
)
def test_an_address_that_cannot_be_read_gets_no_secret_out(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fetch(url, tmp_path, timeout_s=0.3)

    assert caught.value.key == "url"
    assert "secret" not in str(caught.value) and "sec\nret" not in str(caught.value)
    # A traceback does not show what the library said either.
    assert caught.value.__suppress_context__


def test_metadata_whose_error_says_nothing_is_refused_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> object:
        raise MemoryError

    monkeypatch.setattr("ast.literal_eval", fail)

    with pytest.raises(DatasetError, match="plain values: MemoryError"):
        list(build(file=str(write(tmp_path, f"{HEADER}{META},Who?,Me\n"))).examples())


def test_a_folder_that_cannot_be_written_is_named(serve: Serve, published: bytes, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")

    with pytest.raises(ConfigError) as caught:
        fetch(serve(published, "whole").url(), tmp_path / "taken")

    assert caught.value.key == "cache"
    assert "ROUTESDK_CACHE" in caught.value.fix


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/routesdk"),
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/routesdk"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/routesdk"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/routesdk"),
        ("linux", {"ROUTESDK_CACHE": "/mine", "XDG_CACHE_HOME": "/x"}, "/mine"),
    ],
)
def test_the_cache_folder_is_the_platforms_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("ROUTESDK_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)

    assert cache_folder() == Path(expected)
    assert cache_folder(Path("given")) == Path("given")


def test_an_example_survives_being_written(tmp_path: Path) -> None:
    from routesdk.dataset import write_examples

    (example,) = build(file=str(write(tmp_path, HEADER + f"{META},Who?,Me\n"))).examples()
    write_examples(tmp_path / "rows.jsonl", [example])

    assert list(read_examples(tmp_path / "rows.jsonl")) == [example]
    assert json.loads((tmp_path / "rows.jsonl").read_text())["metadata"] == {"answer_type": "Person"}
