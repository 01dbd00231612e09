"""A file of queries goes in, a file of decisions comes out: the same records as everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command import Command
from routesdk import Query, Router
from routesdk.errors import ConfigError, DatasetError, InvalidQueryError
from routesdk.pipeline.inquiry import query_of_line, query_of_row
from routesdk.pipeline.routing import STAGE, RoutingJob, decide_row, pack_job, route_file
from routesdk.pipeline.stage import resolve
from routesdk.record import decision_to_dict

LINES = 'How far is the Moon?\n\n{"id": "7", "query": "Prove it.", "tags": ["maths"]}\nbytes \udcff too\n'


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.from_pretrained("default")


def write(file: Path, text: str) -> Path:
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return file


def records(file: Path) -> list[object]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def test_the_stage_goes_by_its_name() -> None:
    assert resolve(STAGE) is route_file


def test_a_file_of_queries_has_the_decisions_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = write(tmp_path / "asked.jsonl", LINES)

    output = route_file(shard)

    assert output == tmp_path / "asked.decisions.jsonl"
    assert records(output)[1]["query_id"] == "7"  # type: ignore[index]
    assert output.read_text("ascii") == Command(monkeypatch, capsys)("route", "--json", "--file", shard).out
    assert sorted(each.name for each in tmp_path.iterdir()) == ["asked.decisions.jsonl", "asked.jsonl"]


def test_a_packed_job_has_its_settings_and_brings_its_checkpoint(tmp_path: Path, router: Router) -> None:
    router.with_large_share(1.0).save_pretrained(tmp_path / "mine")
    queries = write(tmp_path / "asked.txt", LINES)
    job = RoutingJob(checkpoint=str(tmp_path / "mine"), medium="gpt-4o-mini", large="gpt-4o", explain=True)
    packed = pack_job(tmp_path / "job.zip", queries, job)
    (tmp_path / "away").mkdir()
    packed = packed.rename(tmp_path / "away" / "job.zip")
    (tmp_path / "mine").rename(tmp_path / "gone")

    decided = records(route_file(packed))

    assert {each["model"] for each in decided} == {"gpt-4o"}  # type: ignore[index]
    assert all(each["explanation"] for each in decided)  # type: ignore[index]


def test_a_share_of_large_calls_holds_for_the_job(tmp_path: Path, router: Router) -> None:
    queries = write(tmp_path / "asked.txt", "How far is the Moon?\n")
    packed = pack_job(tmp_path / "job.zip", queries, RoutingJob(large_share=0.0))

    (decided,) = records(route_file(packed))

    assert decided == decision_to_dict(router.route("How far is the Moon?", large_share=0.0))


@pytest.mark.parametrize(
    ("name", "text", "error", "said"),
    [
        ("asked.txt", "Who?\n{nothing\n", DatasetError, "asked.txt, line 2"),
        ("asked.txt", "\n \n", ConfigError, "holds no query"),
        ("job.zip", "no archive", ConfigError, "is no packed job (BadZipFile"),
    ],
)
def test_what_cannot_be_routed_is_named_and_leaves_nothing_behind(
    tmp_path: Path, name: str, text: str, error: type[Exception], said: str
) -> None:
    shard = write(tmp_path / name, text)

    with pytest.raises(error, match=said.replace("(", r"\(")):
        route_file(shard)
    assert list(tmp_path.iterdir()) == [shard]


def test_a_job_is_packed_under_the_name_of_an_archive_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not end with"):
        pack_job(tmp_path / "job.jsonl", tmp_path / "asked.txt", RoutingJob())
    with pytest.raises(ConfigError, match="cannot be packed"):
        pack_job(tmp_path / "job.zip", tmp_path / "asked.txt", RoutingJob())


def test_a_query_is_read_from_a_line_or_from_plain_data() -> None:
    assert query_of_line("Who?") == Query.of("Who?")
    row = {"messages": [{"role": "user", "content": "Who?"}], "id": 7, "tags": ["law"]}
    assert (query_of_row(row).id, query_of_row(row).tags) == ("7", frozenset({"law"}))
    assert query_of_line(json.dumps(row)) == query_of_row(row)
    for wrong in ([], {}, {"query": "Who?", "tags": "law"}, {"query": ""}):
        with pytest.raises(InvalidQueryError):
            query_of_row(wrong)


def test_one_query_as_plain_data_is_decided_as_the_sdk_decides_it(router: Router) -> None:
    asked = {"query": "How far is the Moon?", "large_share": 0.5, "explain": True}

    assert decide_row(router, asked) == decision_to_dict(
        router.route("How far is the Moon?", large_share=0.5, explain=True)
    )
    for key, value in (("model", "gpt"), ("large_share", 2), ("explain", "yes")):
        with pytest.raises(ConfigError, match=key):
            decide_row(router, {"query": "Who?", key: value})
