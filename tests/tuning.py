"""Trains language models for tests: in this process, or in one of its own that can be killed."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import attrs
import pytest

from routesdk import PluginHost
from routesdk.errors import RouteSDKError
from routesdk.types import Dataset, TrainJob

HOST = PluginHost(entry_points=False)
MODELS = ("medium-model", "large-model")
STACK = ("torch", "transformers", "peft", "trl", "datasets")

_DRIVER = "import sys, tuning; tuning.main(sys.argv[1])"


def needed(*names: str) -> ModuleType:
    """Import packages that `make models` installs; where CI has installed them, their want is a failure."""
    for name in names:
        if os.environ.get("ROUTESDK_REQUIRE_MODELS") == "1":
            module = importlib.import_module(name)
        else:
            module = pytest.importorskip(name, reason=f"{name} is not installed: run `make models`")
    return module


@attrs.frozen(kw_only=True)
class Run:
    """A training in a process of its own.

    Attributes:
        folder: Where its output and its state are.
        rows: What it learns from.
        settings: Options of the trainer.
        trainer: The trainer.
        start: What it goes on from.
    """

    folder: Path
    rows: Path
    settings: Mapping[str, object]
    trainer: str = "qlora-sft"
    start: Path | None = None

    @property
    def output(self) -> Path:
        """Where the policy model is saved."""
        return self.folder / "model"

    @property
    def place(self) -> Path:
        """The folder of its state; there is one."""
        (found,) = (self.folder / "work").iterdir()
        return found

    def begin(self, *, largest_file: int | None = None) -> subprocess.Popen[str]:
        """Start it, or start it again."""
        self.output.mkdir(parents=True, exist_ok=True)
        job = self.folder / "job.json"
        described = {
            "trainer": self.trainer,
            "settings": dict(self.settings),
            "rows": str(self.rows),
            "output": str(self.output),
            "work": str(self.folder / "work"),
            "start": None if self.start is None else str(self.start),
            "largest_file": largest_file,
        }
        job.write_text(json.dumps(described))
        paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [sys.executable, "-c", _DRIVER, str(job)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *, largest_file: int | None = None) -> dict[str, str]:
        """Run it to its end; returns what went wrong, empty for nothing."""
        process = self.begin(largest_file=largest_file)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        found: dict[str, str] = json.loads(out.splitlines()[-1])
        return found

    def kill_when(self, moment: Callable[[Run], bool]) -> None:
        """Start it, and kill it at a moment: it is stopped first, so that the moment is what was seen."""
        process = self.begin()
        try:
            until = time.monotonic() + 240
            while True:
                assert process.poll() is None, f"it ended before the moment came: {process.communicate()[1]}"
                assert time.monotonic() < until, "the moment did not come"
                if (self.folder / "work").is_dir() and moment(self):
                    process.send_signal(signal.SIGSTOP)
                    if moment(self):
                        return
                    process.send_signal(signal.SIGCONT)
                time.sleep(0.0005)
        finally:
            process.kill()
            process.communicate()

    def epoch_of(self, step: int) -> float:
        """Return how much of the epochs was done at a step, as the metrics have it."""
        lines = (self.place / "metrics.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.endswith("}")]
        return max((entry["epoch"] for entry in entries if entry["step"] <= step), default=0.0)

    def states(self, *, whole: bool) -> list[int]:
        """Return the steps of the states that are whole, or of those that are not."""
        return sorted(
            int(state.name.rpartition("-")[2])
            for state in (self.folder / "work").glob("*/states/checkpoint-*")
            if (state / "whole.json").is_file() is whole
        )

    def last_step(self) -> int:
        """Return the last step in its metrics; 0 for none."""
        return max([int(float(entry["step"])) for entry in self.metrics()], default=0)

    def metrics(self) -> list[dict[str, float]]:
        """Return the lines of its metrics that are whole."""
        entries = []
        for file in (self.folder / "work").glob("*/metrics.jsonl"):
            for line in file.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    entries.append(json.loads(line))
        return entries

    def course(self) -> list[tuple[float | None, ...]]:
        """Return what must not depend on whether it was killed: steps, losses and step sizes."""
        names = ("step", "loss", "learning_rate", "eval_loss")
        return [tuple(entry.get(name) for name in names) for entry in self.metrics()]

    def state(self) -> dict[str, object]:
        """Return `generative.json`."""
        found: dict[str, object] = json.loads((self.output / "generative.json").read_text())
        return found


def main(file: str) -> None:
    """Train what a file describes, and print what went wrong as one line of JSON."""
    described = json.loads(Path(file).read_text())
    if described["largest_file"] is not None:
        _limit_files(described["largest_file"])
    rows = Dataset(name="rows", path=Path(described["rows"]), tiers=MODELS)
    job = TrainJob(
        train=(rows,),
        output=Path(described["output"]),
        work=Path(described["work"]),
        start=None if described["start"] is None else Path(described["start"]),
    )
    said: dict[str, str] = {}
    try:
        HOST.trainer(described["trainer"], **described["settings"]).train(job)
    except RouteSDKError as error:
        said = {"error": type(error).__name__, "text": str(error)}
    sys.stdout.write(json.dumps(said) + "\n")


def _limit_files(largest: int) -> None:
    """Let writing fail, as on a full disk, where a file grows beyond so many bytes."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


def weights(folder: Path) -> Sequence[str]:
    """Return the names of an adapter's weights, all of which must be finite."""
    import torch
    from safetensors.torch import load_file

    found = load_file(folder / "adapter_model.safetensors")
    assert found
    assert all(bool(torch.isfinite(each).all()) for each in found.values())
    return sorted(found)
