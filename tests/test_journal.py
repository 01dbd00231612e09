"""The journal: what was committed survives, nothing is paid twice, and every failure of the disk is told."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles import examples
from routesdk import Query
from routesdk.errors import DatasetError, JournalError
from routesdk.journal import (
    Call,
    Journal,
    JournalView,
    Row,
    TierOutcome,
    call_key,
    is_journal,
    merge,
    partition,
    provider_id,
)
from routesdk.types import Answer, Grade, Message, PartConfig, Request, Usage

REQUEST = Request(query=Query("Who?"), model="m", max_output_tokens=10)


def rows(count: int, digest: str = "d") -> Iterator[Row]:
    return (Row(example=each, digest=digest, position=place) for place, each in enumerate(examples(count)))


def call(number: int = 0, question: str = "q0") -> Call:
    return Call(key=bytes([number]) * 32, role="answer", question=question, provider="p", model="m")


def answer(cost: str | None = "0.000002", text: str = "Hm.") -> Answer:
    return Answer(text=text, model="m", usage=Usage(input_tokens=3, output_tokens=4, cost_usd=cost))


def outcomes(grade: Grade | None = Grade.CORRECT, key: bytes | None = None) -> list[TierOutcome]:
    return [TierOutcome(model=model, grade=grade, reason="why", answer_key=key) for model in ("m", "n")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "oracle.sqlite"


# Keys.


def test_the_key_changes_with_everything_that_could_change_the_answer() -> None:
    changed = [
        attrs.evolve(REQUEST, query=Query("Whom?")),
        attrs.evolve(REQUEST, query=Query("Who?", (Message("user", "Hi"), Message("user", "Who?")))),
        attrs.evolve(REQUEST, model="n"),
        attrs.evolve(REQUEST, system="Be brief."),
        attrs.evolve(REQUEST, max_output_tokens=11),
        attrs.evolve(REQUEST, temperature=0.0),
        attrs.evolve(REQUEST, thinking_tokens=0),
        attrs.evolve(REQUEST, response_schema={"type": "object"}),
    ]
    keys = {call_key(request, provider="p") for request in [REQUEST, *changed]}
    keys |= {
        call_key(REQUEST, provider="q"),
        call_key(REQUEST, provider="p", prompt_version="2"),
        call_key(REQUEST, provider="p", sample=1),
    }
    assert len(keys) == len(changed) + 4


def test_the_key_stays_where_nothing_is_sent_that_differs() -> None:
    query = Query("Who?", tags={"vip"}, metadata={"user": "7"}, id="mine")
    same = attrs.evolve(REQUEST, query=query, timeout_s=3.0)

    assert call_key(same, provider="p") == call_key(REQUEST, provider="p")


@given(st.text(min_size=1).filter(lambda text: text.strip() != ""), st.text())
def test_any_text_has_a_key(text: str, system: str) -> None:
    assert len(call_key(attrs.evolve(REQUEST, query=Query(text), system=system), provider="p")) == 32


def test_a_provider_is_told_apart_by_its_address_and_not_by_where_its_key_is_kept() -> None:
    here = PartConfig("openai-compatible", {"base_url": "http://127.0.0.1:1", "api_key_env": "A"})
    same = PartConfig("openai-compatible", {"base_url": "http://127.0.0.1:1", "api_key_env": "B"})
    other = PartConfig("openai-compatible", {"base_url": "http://127.0.0.1:2"})

    assert provider_id(here) == provider_id(same) != provider_id(other)
    assert provider_id(PartConfig("gemini")) == "gemini"


# Rows.


def test_rows_are_registered_and_come_back_in_order(path: Path) -> None:
    with Journal(path) as journal:
        assert journal.begin(rows(600), {"config": "{}"}) == 600
        assert list(journal.pending()) == list(rows(600))
        assert journal.view.about()["config"] == "{}"


def test_a_finished_row_stays_finished_until_something_about_it_changes(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(3), {})
        first = next(journal.pending())
        journal.finish(first, outcomes(), "a reason", "")

        journal.begin(rows(3), {})
        assert [row.example.id for row in journal.pending()] == ["q1", "q2"]
        (work,) = journal.view.work()
        assert (work.row, work.analysis, work.grades) == (first, "a reason", (Grade.CORRECT,) * 2)

        journal.begin(rows(3, "another"), {})
        assert [row.example.id for row in journal.pending()] == ["q0", "q1", "q2"]
        assert list(journal.view.work()) == []


def test_rows_of_another_run_are_kept_and_not_counted(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(3), {})
        for row in journal.pending():
            journal.finish(row, outcomes(), "", "")
        journal.begin(rows(1), {})
        assert journal.view.counts() == (1, 1)
        journal.begin(rows(3), {})
        assert journal.view.counts() == (3, 3)


def test_a_run_with_an_id_that_stands_twice_is_not_registered_at_all(path: Path) -> None:
    twice = [*rows(2), attrs.evolve(next(rows(1)), position=2)]
    with Journal(path) as journal:
        journal.begin(rows(1), {"config": "old"})
        with pytest.raises(DatasetError) as caught:
            journal.begin(iter(twice), {"config": "new"})
        assert journal.view.about()["config"] == "old"
        assert journal.view.counts() == (0, 1)
    assert caught.value.line == 3
    assert "'q0'" in caught.value.problem


def test_rows_without_a_grade_can_be_opened_again(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(3), {})
        for row, grade in zip(list(journal.pending()), (None, Grade.CORRECT, Grade.CORRECT), strict=True):
            journal.finish(row, outcomes(grade), "", "the reason tells" if row.position == 1 else "")

        assert journal.reopen_unscored() == 2
        assert [row.example.id for row in journal.pending()] == ["q0", "q1"]


# Money.


def test_a_settled_reply_is_found_again_with_its_usage(path: Path) -> None:
    with Journal(path) as journal:
        attempt = journal.reserve(call(), 9000)
        assert journal.ledger.open_nano == 9000
        assert journal.reply(call().key) is None
        journal.settle(attempt, 9000, call(), answer())
    with Journal(path) as journal:
        assert journal.reply(call().key) == answer()
        assert journal.ledger == journal.view.ledger()
        assert (journal.ledger.settled_nano, journal.ledger.total_nano) == (2000, 2000)


def test_an_attempt_that_was_under_way_when_the_process_died_counts_with_its_worst_case(path: Path) -> None:
    with Journal(path) as journal:
        journal.reserve(call(), 700)
        journal.settle(journal.reserve(call(1), 500), 500, call(1), answer())
    with Journal(path) as journal:
        assert journal.ledger.unknown_nano == 700
        assert journal.ledger.settled_nano == 2000
        assert journal.reply(call().key) is None
        states = {bill.state: bill.calls for bill in journal.view.bills()}
    assert states == {"unknown": 1, "settled": 1}


def test_a_failed_attempt_costs_what_the_provider_says_or_its_worst_case_or_nothing(path: Path) -> None:
    blocked = Usage(input_tokens=5, output_tokens=0, cost_usd="0.000001")
    with Journal(path) as journal:
        journal.fail(journal.reserve(call(), 100), 100, "429")
        assert journal.ledger.total_nano == 0
        journal.fail(journal.reserve(call(), 200), 200, "hung", unknown=True)
        assert journal.ledger.total_nano == 200
        journal.fail(journal.reserve(call(), 300), 300, "blocked", usage=blocked)
        assert journal.ledger.total_nano == 1200
        assert journal.ledger == journal.view.ledger()


def test_a_reply_of_unknown_cost_counts_with_its_worst_case_and_one_that_is_free_with_nothing(
    path: Path,
) -> None:
    with Journal(path) as journal:
        journal.settle(journal.reserve(call(1), 800), 800, call(1), answer(None))
        assert (journal.ledger.settled_nano, journal.ledger.unknown_nano) == (0, 800)
        journal.settle(journal.reserve(call(2), 0), 0, call(2), answer("0.5"), free=True)
        journal.settle(journal.reserve(call(3), 0), 0, call(3), answer(None))
        assert journal.ledger.total_nano == 800
        assert journal.ledger == journal.view.ledger()
        found = journal.reply(call(2).key)
        assert found is not None
        assert found.usage.cost_usd == answer("0.5").usage.cost_usd
        assert sum(bill.unpriced for bill in journal.view.bills()) == 1


@given(st.lists(st.tuples(st.sampled_from("sfub"), st.integers(0, 10**6)), max_size=20))
def test_the_ledger_in_memory_is_that_of_the_file(steps: list[tuple[str, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "j.sqlite") as journal:
        for number, (how, nano) in enumerate(steps):
            attempt = journal.reserve(call(number), nano)
            if how == "s":
                journal.settle(attempt, nano, call(number), answer())
            elif how == "f":
                journal.fail(attempt, nano, "no")
            elif how == "u":
                journal.fail(attempt, nano, "no", unknown=True)
        assert journal.ledger == journal.view.ledger()


def test_texts_that_have_no_utf8_are_stored_without_their_surrogates(path: Path) -> None:
    with Journal(path) as journal:
        journal.settle(journal.reserve(call(), 0), 0, call(), answer(text="a\ud800b\x00c"))
        found = journal.reply(call().key)
    assert found is not None
    assert found.text == "a?b\x00c"


def test_what_is_gathered_is_committed_with_the_next_reservation(path: Path) -> None:
    with Journal(path) as journal, JournalView.open(path) as view:
        journal.begin(rows(2), {})
        with journal.gathering():
            attempt = journal.reserve(call(1), 5)
            assert view.ledger().open_nano == 5
            journal.settle(attempt, 5, call(1), answer())
            assert journal.reply(call(1).key) == answer()
            assert view.reply(call(1).key) is None
            journal.reserve(call(2), 7)
            assert view.reply(call(1).key) == answer()
            journal.finish(next(journal.pending()), outcomes(), "", "")
            journal.commit()
            assert view.counts() == (1, 2)
            journal.fail(journal.reserve(call(3), 9), 9, "no")
        assert {bill.state for bill in view.bills()} == {"settled", "reserved", "failed"}


def test_a_step_that_fails_takes_nothing_along_that_was_gathered_before_it(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(2), {})
        with journal.gathering():
            journal.settle(journal.reserve(call(1), 5), 5, call(1), answer())
            other = journal.reserve(call(2), 5)
            journal.settle(other, 5, call(2), answer())
            with pytest.raises(JournalError, match="ended by somebody else"):
                journal.settle(other, 5, call(2), answer(text="twice"))
    with JournalView.open(path) as view:
        assert view.reply(call(1).key) == view.reply(call(2).key) == answer()


# The file.


def test_a_second_run_on_one_journal_is_refused_and_harms_nothing(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(2), {})
        with pytest.raises(JournalError, match="another run is writing"):
            Journal(path)
        with JournalView.open(path) as view:
            assert view.counts() == (0, 2)
        journal.reserve(call(), 1)
    with Journal(path) as journal:
        assert journal.view.counts() == (0, 2)


def test_two_names_of_one_file_are_one_journal(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "link.sqlite"
    other.parent.mkdir()
    other.symlink_to(path)
    with Journal(path), pytest.raises(JournalError, match="another run"):
        Journal(other)


def test_a_journal_in_memory_is_a_file_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Journal(":memory:") as journal:
        journal.begin(rows(2), {})
    with JournalView.open(":memory:") as view:
        assert view.counts() == (0, 2)


def test_a_journal_is_known_while_its_first_pages_are_not_in_the_file_yet(path: Path, tmp_path: Path) -> None:
    with Journal(path):
        assert is_journal(path)
    assert is_journal(path)
    (tmp_path / "other").write_bytes(b"SQLite format 3\x00")
    assert not is_journal(tmp_path / "other")
    # Of a newer one it is said what to do; it is no other program's.
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    assert is_journal(path)


def test_a_snapshot_sees_one_state_throughout(path: Path) -> None:
    with Journal(path) as journal, JournalView.open(path) as view:
        journal.begin(rows(3), {})
        with view.snapshot():
            assert view.counts() == (0, 3)
            journal.finish(next(journal.pending()), outcomes(), "", "")
            assert view.counts() == (0, 3)
        assert view.counts() == (1, 3)


def test_an_attempt_that_somebody_else_ended_is_told(path: Path) -> None:
    with Journal(path) as journal:
        attempt = journal.reserve(call(), 5)
        journal.fail(attempt, 5, "no")
        with pytest.raises(JournalError, match="ended by somebody else"):
            journal.settle(attempt, 5, call(), answer())


def test_what_a_provider_is_named_by_is_what_is_in_a_file_and_not_where_it_is(tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_text("a")
    two.write_text("a")
    first = provider_id(PartConfig("recorded", {"path": str(one)}))
    assert first == provider_id(PartConfig("recorded", {"path": str(two)}))
    assert str(tmp_path) not in first
    two.write_text("bc")
    assert first != provider_id(PartConfig("recorded", {"path": str(two)}))


def test_an_option_that_names_no_file_counts_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "here"
    file.write_text("a")
    for value in ("no such file", "x" * 600, "nul\0", "/root/" + "y" * 300, str(tmp_path)):
        told = provider_id(PartConfig("scripted", {"path": value, "suffix": value}))
        assert json.loads(told.split(" ", 1)[1])["suffix"] == value
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in provider_id(PartConfig("scripted", {"path": str(tmp_path / "pipe")}))
    # What only happens to be a file's name is a text.
    assert str(file) in provider_id(PartConfig("scripted", {"suffix": str(file)}))


def test_a_full_disk_is_told_and_what_was_committed_stays(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(2), {})
        (pages,) = journal._database.execute("PRAGMA page_count").fetchone()
        journal._database.execute(f"PRAGMA max_page_count = {pages}")
        attempt = journal.reserve(call(), 5)
        with pytest.raises(JournalError, match="full") as caught:
            journal.settle(attempt, 5, call(), answer(text="x" * 100_000))
        assert "Make room" in caught.value.fix
        assert journal.reply(call().key) is None
    with Journal(path) as journal:
        assert journal.view.counts() == (0, 2)
        assert journal.ledger.unknown_nano == 5
        # With room again, it goes on.
        journal.settle(journal.reserve(call(), 5), 5, call(), answer(text="x" * 100_000))
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("place", ["missing/oracle.sqlite", "/sys/oracle.sqlite", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(JournalError) as caught:
        Journal(tmp_path / place)
    assert caught.value.path == str(tmp_path / place)
    assert "folder" in caught.value.fix or "path" in caught.value.fix


def test_files_that_are_no_journal_are_refused_and_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("notes" * 1000)
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    before = text.read_bytes(), other.read_bytes()

    for file in (text, other):
        with pytest.raises(JournalError):
            Journal(file)
        with pytest.raises(JournalError):
            JournalView.open(file)
    with pytest.raises(JournalError, match="no such journal"):
        JournalView.open(tmp_path / "none.sqlite")
    assert (text.read_bytes(), other.read_bytes()) == before


def test_a_journal_of_a_newer_version_is_refused(path: Path) -> None:
    Journal(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(JournalError, match="newer"):
        Journal(path)


# Parts.


def test_parts_take_every_pending_row_once_and_settled_replies_along(path: Path, tmp_path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(50), {})
        journal.finish(next(journal.pending()), outcomes(), "", "")
        seventh = next(row for row in journal.pending() if row.example.id == "q7")
        journal.settle(journal.reserve(call(7), 10), 10, call(7, seventh.question), answer())
        parts = partition(journal, tmp_path, 4, {"share": "x"})
        found: list[str] = []
        replies = 0
        for part in parts:
            with JournalView.open(part) as view:
                assert view.about()["share"] == "x"
                assert view.ledger().total_nano == 0
                replies += view.reply(call(7).key) is not None
            with Journal(part) as theirs:
                found += [row.example.id for row in theirs.pending()]
    assert sorted(found) == sorted(f"q{number}" for number in range(1, 50))
    assert len(parts) == 4
    assert replies == 1


def test_what_parts_found_out_is_merged_once(path: Path, tmp_path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(20), {})
        for number, part in enumerate(partition(journal, tmp_path, 3, {})):
            with Journal(part) as theirs:
                row = next(theirs.pending())
                theirs.settle(theirs.reserve(call(number), 50), 50, call(number), answer())
                theirs.reserve(call(number + 100), 77)
                theirs.finish(row, outcomes(key=call(number).key), "why", "")
            copy = part.read_bytes()
            merge(journal, part)
            assert not part.exists()
            # As after a kill between the merge and the removal of the part.
            part.write_bytes(copy)
            merge(journal, part)
        assert journal.view.counts() == (3, 20)
        assert journal.ledger == journal.view.ledger()
        assert journal.ledger.settled_nano == 3 * 2000
        assert journal.ledger.unknown_nano == 3 * 77
        assert [work.answers[0] for work in journal.view.work()] == [answer()] * 3
    assert not list(tmp_path.glob("part-*"))


def test_a_part_that_another_process_writes_is_not_merged(path: Path, tmp_path: Path) -> None:
    with Journal(path) as journal:
        journal.begin(rows(4), {})
        (part,) = partition(journal, tmp_path, 1, {})
        with Journal(part), pytest.raises(JournalError, match="another run"):
            merge(journal, part)
        merge(journal, part)
