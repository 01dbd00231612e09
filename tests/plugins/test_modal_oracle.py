"""Oracles on Modal find out what they do here, whatever becomes of the machines on either side."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oracles import findings, recorded_config, write_recorded
from routesdk.config import Config
from routesdk.errors import RunStoppedError
from routesdk.journal import JournalView
from routesdk.pipeline.oracle import generate
from routesdk.pipeline.oracle.caller import Halt
from routesdk.testing import make_host
from routesdk.types import PartConfig

if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
    pytest.importorskip("modal", reason="modal is not installed")

from modal_server import ModalServer, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded answers and verdicts of two models, in a file that the containers see too."""
    return write_recorded(tmp_path_factory.mktemp("recorded") / "answers.jsonl")


def oracle(recorded: Path, journal: Path, **changes: object) -> Config:
    return recorded_config(recorded, journal, **{"shards": 2, "executor": PartConfig("modal"), **changes})


def kept_rows(folder: Path) -> int:
    """Count the rows that are done in the copies on a volume."""
    done = 0
    for file in folder.glob("runs/*/kept/part-*.sqlite"):
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as database:
            done += database.execute("SELECT COUNT(*) FROM row WHERE done = 1").fetchone()[0]
    return done


def attempts(journal: Path) -> int:
    with JournalView.open(journal) as view:
        return sum(bill.calls for bill in view.bills())


@pytest.fixture
def fresh(modal_service: ModalServer, tmp_path: Path) -> Path:
    """A data volume with nothing on it."""
    modal_service.volumes.pop("routesdk-data", None)
    folder = modal_service.folder / f"fresh-{tmp_path.name}"
    folder.mkdir()
    modal_service.volumes["routesdk-data"] = folder
    return folder


@pytest.fixture
def expected(recorded: Path, tmp_path: Path) -> object:
    """What a run on this machine finds out."""
    journal = tmp_path / "here.sqlite"
    generate(oracle(recorded, journal, executor=PartConfig("local")), host=make_host())
    return findings(journal)


# Each of two machines makes twelve calls, which is six rows, one after another, and waits for the gate.
HELD = {"executor": PartConfig("modal", {"secrets": ("gate",)}), "concurrency": 2}


@pytest.fixture
def gate(modal_service: ModalServer, tmp_path: Path) -> Iterator[Path]:
    """The file that lets machines go on whose secret is `gate`; none is left waiting."""
    file = tmp_path / "gate"
    modal_service.secrets["gate"] = {"ROUTESDK_TEST_GATE": str(file)}
    yield file
    file.touch()
    modal_service.stop()


def test_an_oracle_on_modal_finds_out_what_one_on_this_machine_does(
    recorded: Path, fresh: Path, expected: object, tmp_path: Path
) -> None:
    done = generate(oracle(recorded, tmp_path / "oracle.sqlite"), host=make_host())

    assert done.done == done.total > 40
    assert findings(tmp_path / "oracle.sqlite") == expected
    assert not (tmp_path / "oracle.sqlite.parts").exists()


def test_a_machine_that_is_taken_away_in_the_midst_of_an_oracle_pays_for_little_twice(
    *, modal_service: ModalServer, recorded: Path, fresh: Path, expected: object, tmp_path: Path, gate: Path
) -> None:
    taken: list[int] = []

    def preempt(data: Path) -> bool:
        rows = 0 if taken else kept_rows(data)
        if rows >= 5:
            taken.append(rows)
            gate.touch()
        return rows >= 5

    modal_service.preempt = preempt
    done = generate(oracle(recorded, tmp_path / "oracle.sqlite", **HELD), host=make_host())

    assert findings(tmp_path / "oracle.sqlite") == expected
    assert len(taken) == 1
    # What it had not kept of its twelve calls, and the one that it was about to make.
    assert 2 * done.total <= attempts(tmp_path / "oracle.sqlite") <= 2 * done.total + 3


def test_a_run_that_is_stopped_brings_home_what_it_has_and_goes_on_from_there(
    recorded: Path, fresh: Path, expected: object, tmp_path: Path, gate: Path
) -> None:
    class AfterAWhile(Halt):
        @property
        def wanted(self) -> bool:
            return kept_rows(fresh) >= 10

    journal = tmp_path / "oracle.sqlite"
    with pytest.raises(RunStoppedError) as caught:
        generate(oracle(recorded, journal, **HELD), host=make_host(), halt=AfterAWhile())
    assert 10 <= caught.value.done < caught.value.total
    done = generate(oracle(recorded, journal), host=make_host())

    assert findings(journal) == expected
    assert attempts(journal) <= 2 * done.total + 8


@pytest.mark.parametrize("resume", [True, False])
def test_a_network_that_fails_throws_nothing_away_that_was_paid_for(
    *,
    modal_service: ModalServer,
    recorded: Path,
    fresh: Path,
    expected: object,
    tmp_path: Path,
    gate: Path,
    resume: bool,
) -> None:
    class Outage(Halt):
        @property
        def wanted(self) -> bool:
            if kept_rows(fresh) >= 10:
                modal_service.failing |= {"FunctionGetOutputs", "VolumeGetFile2"}
            return False

    journal = tmp_path / "oracle.sqlite"
    with pytest.raises(RunStoppedError, match="cannot be fetched"):
        held = PartConfig("modal", {"secrets": ("gate",), "resume": resume})
        generate(oracle(recorded, journal, executor=held, concurrency=2), host=make_host(), halt=Outage())
    parts = sorted(each.name for each in (tmp_path / "oracle.sqlite.parts").glob("part-*.sqlite"))
    assert parts == ["part-000.sqlite", "part-001.sqlite"]
    modal_service.failing.clear()
    modal_service.requests.clear()

    later = PartConfig("modal", {"resume": resume})
    generate(oracle(recorded, journal, executor=later), host=make_host(), listen=(heard := []).append)

    assert findings(journal) == expected
    assert heard[0].begun_at >= 10
    # What still ran over there would have gone on, at someone's expense.
    assert len(modal_service.asked("FunctionCallCancel")) == 2
    assert not (tmp_path / "oracle.sqlite.parts").exists()


def test_a_run_that_was_killed_here_takes_in_what_was_kept_there(
    *, modal_service: ModalServer, recorded: Path, fresh: Path, expected: object, tmp_path: Path, gate: Path
) -> None:
    journal = tmp_path / "oracle.sqlite"
    (tmp_path / "begin.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom test_modal_oracle import HELD, oracle\n"
        "from routesdk.pipeline.oracle import generate\nfrom routesdk.testing import make_host\n"
        f"generate(oracle(Path({str(recorded)!r}), Path({str(journal)!r}), **HELD), host=make_host())\n"
    )
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests / "plugins"), os.environ["PYTHONPATH"]])
    begun = subprocess.Popen(
        [sys.executable, "begin.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    try:
        until(lambda: kept_rows(fresh) >= 10)
    finally:
        os.killpg(begun.pid, signal.SIGKILL)
        begun.wait()
    # Modal stops an app that it hears no heartbeat of.
    modal_service.stop()
    known = kept_rows(fresh)
    calls = len(modal_service.asked("FunctionMap"))

    generate(oracle(recorded, journal), host=make_host(), listen=(heard := []).append)

    assert findings(journal) == expected
    assert heard[0].begun_at >= known >= 10
    assert calls == 2
