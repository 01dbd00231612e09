"""Fixtures and settings that every test shares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# Set before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Set before anything imports litellm, which downloads its price table otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import pytest
from hypothesis import HealthCheck, settings

# CI machines stall now and then: a slow example is no failure of ours.
settings.register_profile("routesdk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("routesdk")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of recorded outcomes, which is not part of the repository."""
    named = os.environ.get("ROUTESDK_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no recorded outcomes: {folder} is no folder; set ROUTESDK_DATA to where they are")
    return folder


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was run to its end, once; tests change copies of it."""
    # Most tests do without, and without the second that it takes.
    import projects

    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        projects.write_project()
        projects.run(projects.open_project())
    return folder


@pytest.fixture
def project(finished_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished project, as the current folder."""
    shutil.copytree(finished_project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"
