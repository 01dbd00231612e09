"""Runs in processes of their own: killed, interrupted, without room on the disk; the next one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from projects import LINEAR, contents, did, open_project, states, write_project
from routesdk.pipeline.project import run


def _start(*arguments: str, largest: int | None = None) -> subprocess.Popen[str]:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {largest}));"
    code = f"{limit if largest else ''}from routesdk.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"},
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sets no bounds on files")
def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(project: Path) -> None:
    write_project(oracle="test_share = 0.3")
    before = contents("data", "router_checkpoints/router_final", "evaluation")
    process = _start("run", largest=4096)
    _, said = process.communicate(timeout=60)

    assert process.returncode in (1, 2)
    assert "Traceback" not in said
    assert "error: " in said.splitlines()[-1]
    assert contents("data", "router_checkpoints/router_final", "evaluation") == before
    assert did(run(open_project()))[0] == "split"
    assert set(states().values()) == {"done", "not needed"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(
    finished_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project()
    delays_s = [0.7, 1.0, 1.3, 1.6, 1.9, 2.2, 2.5]
    killed = 0
    for delay_s in delays_s:
        process = _start("run", "--json")
        time.sleep(delay_s)
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    process = _start("run", "--json")
    out, said = process.communicate(timeout=120)

    assert killed
    assert process.returncode == 0, said
    assert [each["stage"] for each in json.loads(out)["stages"]] == list(LINEAR)
    folders = ("data/benchmarks", "data/splits", "router_checkpoints/router_final")
    ours = contents(*folders)
    files = ("data/generated/oracle_dataset.jsonl", "data/generated/test_outcomes.jsonl")
    ours |= {name: contents("data/generated")[name] for name in files}
    monkeypatch.chdir(finished_project)
    theirs = contents(*folders) | {name: contents("data/generated")[name] for name in files}
    assert ours == theirs


def test_an_interrupt_ends_a_run_and_says_how_to_go_on(project: Path) -> None:
    write_project(train="seed = 4", more="# another")
    code = (
        "import os, signal, sys\n"
        "from routesdk.pipeline.project import deed\n"
        "def interrupt(*_): os.kill(os.getpid(), signal.SIGINT)\n"
        "deed.train = interrupt\n"
        "sys.argv = ['routesdk', 'run']\n"
        "from routesdk.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 130, done.stderr
    assert "Run the same command, and it goes on" in done.stderr
    assert did(run(open_project())) == ("train", "evaluate", "report")
