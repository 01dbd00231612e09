"""The decision log holds one JSON line for each decision and answer, and never grows beyond its limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.logbook import LoggedDecision, Unreadable, read_log
from routesdk.plugins.decision_log.log import DecisionLog
from routesdk.record import decision_from_dict
from routesdk.testing import check_observer
from routesdk.types import Answer, Decision, OperatingPoint, Prediction, Query, Stage, TraceStep, Usage

QUERY = Query("When was Goethe born?", id="1f")
DECISION = Decision(
    query_id="1f",
    policy="Complex_Query",
    tier="large",
    model="pro",
    confidence=0.7,
    prediction=Prediction(("Standard_Query", "Complex_Query"), (0.3, 0.7), (0.2, 0.6), (0.4,)),
    operating_point=OperatingPoint((0.25,)),
    trace=(TraceStep(Stage.DEFAULT, "policy map", "pro", "pro", "it is mapped"),),
    notices=("lone \ud800 surrogate",),
    estimated_cost_usd=Decimal("0.0012"),
    explanation="It asks for Goethe's birthday.",
)
ANSWER = Answer(text="28 August 1749", model="pro", usage=Usage(output_tokens=5, cost_usd=Decimal("0.001")))


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def query_ids(path: Path) -> list[object]:
    return [row["decision"]["query_id"] for row in read(path)]  # type: ignore[index]


def log_numbered(log: DecisionLog, count: int) -> None:
    for index in range(count):
        log.routesdk_routed(attrs.evolve(DECISION, query_id=f"{index:02}"), QUERY)


def test_a_host_tells_the_log_of_decisions_and_answers(tmp_path: Path) -> None:
    host = PluginHost(entry_points=False)
    log = host.observer("decision-log", path=str(tmp_path / "log.jsonl"))

    host.routed(DECISION, QUERY, [log])
    host.answered(DECISION, QUERY, ANSWER, [log])

    routed, answered = read(tmp_path / "log.jsonl")
    assert (routed["event"], answered["event"]) == ("decision", "answer")
    assert (answered["query_id"], answered["policy"]) == ("1f", "Complex_Query")


def test_without_text_the_decision_can_be_read_back_but_for_its_explanation(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path)

    log.routesdk_routed(DECISION, QUERY)
    log.routesdk_answered(DECISION, QUERY, ANSWER)

    assert "Goethe" not in path.read_text()
    assert "1749" not in path.read_text()
    routed, answered = read(path)
    assert decision_from_dict(routed["decision"]) == attrs.evolve(DECISION, explanation=None)  # type: ignore[arg-type]
    assert answered["answer"] == {
        "model": "pro",
        "finish_reason": "stop",
        "input_tokens": None,
        "output_tokens": 5,
        "thinking_tokens": 0,
        "cached_input_tokens": 0,
        "cost_usd": "0.001",
        "latency_s": None,
        "text_characters": 14,
    }


def test_with_text_everything_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path, include_text=True)

    log.routesdk_routed(DECISION, QUERY)
    log.routesdk_answered(DECISION, QUERY, attrs.evolve(ANSWER, text="two\nlines \u2028 \ud83d"))

    routed, answered = read(path)
    assert decision_from_dict(routed["decision"]) == DECISION  # type: ignore[arg-type]
    assert answered["answer"]["text"] == "two\nlines \u2028 \ud83d"  # type: ignore[index]


def test_with_text_the_question_is_written_and_without_it_the_id_alone(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Who wrote Faust?"}, {"role": "assistant", "content": "Goethe"}]
    talk = Query.of([*turns, {"role": "user", "content": "When, \ud83d?"}])
    with_text, without = tmp_path / "with.jsonl", tmp_path / "without.jsonl"

    for path in (with_text, without):
        log = DecisionLog(path, include_text=path is with_text)
        log.routesdk_routed(DECISION, QUERY)
        log.routesdk_answered(DECISION, talk, ANSWER)

    lone, conversation = (row["query"] for row in read(with_text))
    assert lone == {"text": "When was Goethe born?"}
    assert conversation == {
        "text": "When, \ud83d?",
        "messages": [*turns, {"role": "user", "content": "When, \ud83d?"}],
    }
    assert all("query" not in row for row in read(without))
    assert "born" not in without.read_text() and "Faust" not in without.read_text()


def test_each_line_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path)

    for count in (1, 2, 3):
        log.routesdk_routed(DECISION, QUERY)
        assert len(read(path)) == count


def test_a_log_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log_numbered(DecisionLog(path), 2)
    log_numbered(DecisionLog(path), 1)

    assert query_ids(path) == ["00", "01", "00"]


def test_half_a_line_of_a_killed_process_spoils_no_other_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"event": "deci')

    log_numbered(DecisionLog(path), 1)

    torn, whole = path.read_text().splitlines()
    assert torn == '{"event": "deci'
    assert json.loads(whole)["event"] == "decision"


def test_a_write_that_failed_half_way_spoils_no_other_line(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "log.jsonl")
    log.routesdk_routed(DECISION, QUERY)
    with (tmp_path / "log.jsonl").open("ab") as file:
        # What a full disk leaves of a line, while the process goes on.
        file.write(b'{"event": "deci')

    log.routesdk_routed(DECISION, QUERY)

    entries = list(read_log(tmp_path / "log.jsonl"))
    assert [type(entry) for entry in entries] == [LoggedDecision, Unreadable, LoggedDecision]


_WRITER = """
import sys
from pathlib import Path
from routesdk.plugins.decision_log.log import DecisionLog
from routesdk.testing import make_decision
from routesdk.types import Query

log = DecisionLog(Path(sys.argv[1]), max_bytes=3_000, kept=1_000)
print(flush=True)
sys.stdin.read()
for _ in range(300):
    log.routesdk_routed(make_decision(), Query("Who?"))
"""


def test_processes_that_set_one_file_aside_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for _ in range(2)
    ]
    for each in writers:
        assert each.stdout is not None
        with each.stdout:
            each.stdout.readline()
    for each in writers:
        assert each.stdin is not None
        each.stdin.close()
    assert [each.wait(timeout=60) for each in writers] == [0, 0]

    entries = list(read_log(path))
    assert len(entries) == 600
    assert all(isinstance(entry, LoggedDecision) for entry in entries)
    assert not path.with_name("log.jsonl.lock").exists()
    assert len(list(tmp_path.iterdir())) > 5


def test_a_model_s_own_colon_is_no_end_of_a_reason(tmp_path: Path) -> None:
    step = TraceStep(Stage.FALLBACK, "fallback", "b", "b", "llama3:8b gave no answer: it quotes Who?")
    decision = attrs.evolve(DECISION, trace=(step,))

    DecisionLog(tmp_path / "log.jsonl").routesdk_routed(decision, QUERY)

    (row,) = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert row["decision"]["trace"][0]["reason"] == "llama3:8b gave no answer"


def test_a_deleted_log_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path, max_bytes=10**6)
    log_numbered(log, 2)
    path.unlink()

    log_numbered(log, 1)

    assert query_ids(path) == ["00"]


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path, max_bytes=8_000, kept=1000)
    threads = [threading.Thread(target=log_numbered, args=(log, 25)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [each for file in tmp_path.iterdir() for each in query_ids(file)]
    assert sorted(map(str, ids)) == sorted(f"{index:02}" for index in range(25) for _ in range(4))
    assert len(list(tmp_path.iterdir())) > 1


@pytest.mark.parametrize(
    ("kept", "files"),
    [
        (0, {"log.jsonl": ["06"]}),
        (1, {"log.jsonl": ["06"], "log.jsonl.1": ["04", "05"]}),
        (2, {"log.jsonl": ["06"], "log.jsonl.1": ["04", "05"], "log.jsonl.2": ["02", "03"]}),
    ],
)
def test_a_full_file_is_set_aside_and_the_oldest_is_dropped(
    tmp_path: Path, kept: int, files: dict[str, list[str]]
) -> None:
    path = tmp_path / "log.jsonl"
    log_numbered(DecisionLog(path), 1)
    line = path.stat().st_size
    path.unlink()

    log_numbered(DecisionLog(path, max_bytes=2 * line, kept=kept), 7)

    assert {file.name: query_ids(file) for file in tmp_path.iterdir()} == files
    assert all(file.stat().st_size <= 2 * line for file in tmp_path.iterdir())


def test_a_lock_that_cannot_be_taken_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path, max_bytes=1)
    # In the place of the lock's file: it can neither be made nor opened.
    (tmp_path / "log.jsonl.lock").mkdir()

    log_numbered(log, 3)

    assert query_ids(path) == ["00", "01", "02"]


def test_a_line_longer_than_the_limit_has_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    log_numbered(DecisionLog(path, max_bytes=1, kept=5), 3)

    assert [query_ids(tmp_path / name) for name in ("log.jsonl.2", "log.jsonl.1", "log.jsonl")] == [
        ["00"],
        ["01"],
        ["02"],
    ]


@pytest.mark.parametrize("path", ["missing/log.jsonl", "."])
def test_a_path_that_cannot_be_written_is_a_config_error_at_once(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).observer("decision-log", path=str(tmp_path / path))

    assert caught.value.key == "decision_log.path"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "path"),
        ({"path": "x", "max_bytes": 0}, "max_bytes"),
        ({"path": "x", "kept": -1}, "kept"),
        ({"path": "x", "include_text": "yes"}, "include_text"),
        ({"path": "x", "include_texts": True}, "include_texts"),
    ],
)
def test_wrong_options_are_config_errors_that_name_the_key(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).observer("decision-log", **options)

    assert caught.value.key == f"observer.decision-log.{key}"


def test_the_log_keeps_the_contract_of_observers(tmp_path: Path) -> None:
    check_observer(DecisionLog(tmp_path / "log.jsonl"))
