"""The page on metrics shows what its example prints, and the benchmark of all metrics keeps its limit."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_page_shows_what_its_example_prints(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(repository / "docs" / "snippets" / "metrics.py"), run_name="__main__")

    page = (repository / "docs" / "explanation" / "metrics.md").read_text(encoding="utf-8")
    assert f"```text\n{capsys.readouterr().out}```\n" in page


def benchmark(repository: Path, folder: Path, *arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [
            sys.executable,
            repository / "benchmarks" / "metrics.py",
            "--json",
            folder / "times.json",
            *arguments,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, float] = json.loads((folder / "times.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_all_metrics_are_bounded_on_10000_rows_with_2000_resamples(repository: Path, tmp_path: Path) -> None:
    found = benchmark(repository, tmp_path)

    assert (found["rows"], found["resamples"]) == (10_000, 2000)
    assert found["figures"] > 70
    assert found["total_s"] > 0
