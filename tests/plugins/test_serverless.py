"""What runs on Modal, run here: settings, pins, the bodies of the functions, and the endpoint over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import threading
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from routesdk import Router
from routesdk.config import load_config
from routesdk.errors import ConfigError, MissingExtraError
from routesdk.host import PluginHost
from routesdk.pipeline.routing import CHECKPOINTS_ENV, RoutingJob, decide_row, pack_job, shelved
from routesdk.pipeline.stage import run_shard
from routesdk.plugins.serverless import endpoint, keeping, layout, pin, work
from routesdk.plugins.serverless.config import ModalConfig, config_of_environment
from routesdk.plugins.serverless.keeping import settle, working_copy
from routesdk.structure import structure
from routesdk.testing.stages import FAILS

SHOUT = "routesdk.testing.stages:shout"
STAGES = '''
import shutil
import sqlite3
import zipfile
from contextlib import closing


def count(shard):
    with closing(sqlite3.connect(shard)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("INSERT INTO number SELECT 1 + COUNT(*) FROM number")
    return shard


def fail_late(shard):
    count(shard)
    raise RuntimeError("after the work")


def elsewhere(shard):
    import tempfile
    from pathlib import Path
    output = Path(tempfile.mkdtemp()) / "result.txt"
    output.write_text("far away")
    return output


def folder(shard):
    output = shard.with_name("folder")
    output.mkdir()
    return output


def grow(shard):
    shard.write_text(shard.read_text() + "!")
    return shard


def pack(shard):
    """A stage of training's form: a checkpoint in a .zip file."""
    output = shard.with_name("trained.zip")
    with zipfile.ZipFile(output, "w") as packed:
        packed.writestr("router.json", shard.read_text())
    return output
'''


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data volume, in a folder."""
    monkeypatch.setattr(work, "DATA", tmp_path / "data")
    monkeypatch.setattr(work, "CHECKPOINTS", tmp_path / "checkpoints")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "routesdk_test_serverless.py").write_text(STAGES)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "data"


def put(volume: Path, name: str, text: str = "text", run: str = "run") -> Path:
    shard = volume / layout.RUNS / run / layout.IN / name
    shard.parent.mkdir(parents=True, exist_ok=True)
    shard.write_text(text)
    return shard


def put_database(volume: Path, run: str = "run") -> Path:
    shard = put(volume, "part.sqlite", "", run)
    with closing(sqlite3.connect(shard)) as database, database:
        database.execute("CREATE TABLE number (value INTEGER)")
    return shard


def numbers(file: Path) -> list[int]:
    with closing(sqlite3.connect(file)) as database:
        return [value for (value,) in database.execute("SELECT value FROM number ORDER BY value")]


def test_the_body_runs_a_stage_as_the_local_executor_does(volume: Path) -> None:
    here = put(volume, "a.txt", "straße", run="local")
    put(volume, "a.txt", "straße")

    told = work.stage(SHOUT, "run", "a.txt")

    local = run_shard(SHOUT, here)
    assert local.output is not None
    assert told == {"output": "in/a.out", "shard": "", "error": ""}
    assert (volume / "runs" / "run" / "in" / "a.out").read_bytes() == local.output.read_bytes()
    assert json.loads((volume / "runs" / "run" / "report.json").read_text()) == told


def test_a_stage_that_fails_says_why_and_is_not_taken_for_finished(volume: Path) -> None:
    put(volume, "a.txt", FAILS)
    (volume / "runs" / "run" / "report.json").write_text('{"output": "in/a.out"}')

    told = work.stage(SHOUT, "run", "a.txt")

    assert told["error"].startswith(f"ValueError: {FAILS}")
    assert told["output"] == ""
    assert not (volume / "runs" / "run" / "report.json").exists()


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("elsewhere", {"output": "out/result.txt", "shard": "", "error": ""}),
        ("grow", {"output": "in/a.txt", "shard": "in/a.txt", "error": ""}),
    ],
)
def test_whatever_a_stage_writes_is_on_the_volume(volume: Path, function: str, told: dict[str, str]) -> None:
    put(volume, "a.txt")

    assert work.stage(f"routesdk_test_serverless:{function}", "run", "a.txt") == told
    assert (volume / "runs" / "run" / told["output"]).is_file()


def test_a_stage_that_returns_a_folder_is_told_that_files_alone_come_back(volume: Path) -> None:
    put(volume, "a.txt")

    told = work.stage("routesdk_test_serverless:folder", "run", "a.txt")

    assert "only files come back" in told["error"]


@pytest.mark.parametrize(("function", "output"), [("count", "kept/part.sqlite"), ("fail_late", "")])
def test_a_database_comes_back_as_the_stage_left_it_though_it_failed(
    volume: Path, function: str, output: str
) -> None:
    shard = put_database(volume)

    told = work.stage(f"routesdk_test_serverless:{function}", "run", shard.name)

    assert told["output"] == output
    assert told["shard"] == "kept/part.sqlite"
    assert bool(told["error"]) == (function == "fail_late")
    assert numbers(volume / "runs" / "run" / "kept" / "part.sqlite") == [1]
    # The volume's own file is as it was sent: it has its name from its content.
    assert numbers(shard) == []


def test_a_machine_that_takes_over_begins_with_what_was_kept(volume: Path) -> None:
    shard = put_database(volume)
    work.stage("routesdk_test_serverless:fail_late", "run", shard.name)

    work.stage("routesdk_test_serverless:count", "run", shard.name)

    assert numbers(volume / "runs" / "run" / "kept" / "part.sqlite") == [1, 2]


def test_a_database_is_kept_while_it_is_worked_on_and_committed_when_it_has_changed(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, committed = put_database(volume), []
    kept = shard.parent.parent / "kept" / shard.name
    before, looks = set(threading.enumerate()), []
    fingerprint = keeping.fingerprint

    def looked(file: Path) -> str:
        looks.append(file)
        return fingerprint(file)

    monkeypatch.setattr(keeping, "fingerprint", looked)
    with working_copy(shard, kept, lambda: committed.append(numbers(kept)), keep_s=0.01) as place:
        assert place.parent != shard.parent
        (keeper,) = set(threading.enumerate()) - before
        _until(lambda: committed == [[]])
        with closing(sqlite3.connect(place)) as database, database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("INSERT INTO number VALUES (7)")
        _until(lambda: committed[-1] == [7])
        seen, after = len(committed), len(looks) + 3
        # It has looked again and again by then, and found nothing new.
        _until(lambda: len(looks) >= after)
        assert len(committed) == seen
    assert numbers(kept) == [7]
    assert not keeper.is_alive()


def _until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not met():
        assert time.monotonic() < end, "it did not come to pass within a minute"
        time.sleep(0.01)


def test_what_sqlite_has_beside_a_journal_is_settled_into_it_before_it_is_sent(tmp_path: Path) -> None:
    shard, copied = put_database(tmp_path), tmp_path / "copied.sqlite"
    with closing(sqlite3.connect(shard)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        with database:
            database.execute("INSERT INTO number VALUES (7)")
        # A process that was killed leaves the log behind: copied while the connection is open.
        shutil.copy(shard, copied)
        shutil.copy(f"{shard}-wal", f"{copied}-wal")
    alone = tmp_path / "alone.sqlite"
    shutil.copy(copied, alone)
    assert numbers(alone) == []

    settle(copied)

    shutil.copy(copied, alone)
    assert numbers(alone) == [7]


def test_a_trained_router_goes_to_the_checkpoint_volume(
    volume: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(work, "TRAINING_STAGE", "routesdk_test_serverless:pack")
    put(volume, "job.zip", "first")
    put(volume, "job.zip", "second", run="again")

    for run in ("run", "again"):
        assert work.train(run, "job.zip", "law")["output"] == "in/trained.zip"
    assert work.train("run", "job.zip")["error"] == ""

    published = tmp_path / "checkpoints"
    assert [each.name for each in published.iterdir()] == ["law"]
    assert (published / "law" / "router.json").read_text() == "second"


@pytest.mark.parametrize("name", [".", ".."])
def test_no_name_of_a_router_leads_out_of_the_checkpoint_volume(
    volume: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(work, "TRAINING_STAGE", "routesdk_test_serverless:pack")
    put(volume, "job.zip")
    (tmp_path / "checkpoints" / "law").mkdir()

    with pytest.raises(ValueError, match="no name of a router"):
        work.train("run", "job.zip", name)

    assert (tmp_path / "checkpoints" / "law").is_dir()


def test_the_router_that_was_there_stays_until_the_new_one_is_in_its_place(
    volume: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(work, "TRAINING_STAGE", "routesdk_test_serverless:pack")
    put(volume, "job.zip", "old")
    put(volume, "job.zip", "new", run="again")
    work.train("run", "job.zip", "law")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError("the volume is full")
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(Path, "rename", refuse)
        work.train("again", "job.zip", "law")

    law = tmp_path / "checkpoints" / "law" / "router.json"
    assert law.read_text() == "old"
    # It was trained and not published: no report says that all is done.
    assert not (volume / "runs" / "again" / "report.json").exists()
    assert work.train("again", "job.zip", "law")["published"] == "law"
    assert law.read_text() == "new"


def test_a_finished_training_is_published_under_another_name_without_being_run_again(
    volume: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(work, "TRAINING_STAGE", "routesdk_test_serverless:pack")
    put(volume, "job.zip", "rows")
    work.train("run", "job.zip", "law")
    monkeypatch.setattr(work, "TRAINING_STAGE", "routesdk_test_serverless:fail_late")

    told = work.train("run", "job.zip", "order")

    assert (told["error"], told["published"]) == ("", "order")
    assert json.loads((volume / "runs" / "run" / "report.json").read_text()) == told
    assert sorted(each.name for each in (tmp_path / "checkpoints").iterdir()) == ["law", "order"]


def test_a_batch_is_routed_by_the_bundled_router(volume: Path) -> None:
    put(volume, "asked.jsonl", 'How far is the Moon?\n{"id": "7", "query": "Who wrote Faust?"}\n')

    told = work.route_batch("run", "asked.jsonl")

    lines = (volume / "runs" / "run" / told["output"]).read_text().splitlines()
    assert [json.loads(line)["query_id"] for line in lines][1] == "7"


@pytest.fixture
def fresh_container() -> Iterator[None]:
    """A container that has loaded no router, and leaves none behind."""
    endpoint._loaded.cache_clear()
    yield
    endpoint._loaded.cache_clear()


def test_the_endpoints_body_decides_with_a_checkpoint_of_the_shelf(
    fresh_container: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Router.from_pretrained("default").with_large_share(1.0).save_pretrained(tmp_path / "always")
    monkeypatch.setenv(CHECKPOINTS_ENV, str(tmp_path))
    monkeypatch.setenv(layout.ENDPOINT_ENV, "always")
    loads: list[str] = []
    load = Router.from_pretrained

    def counted(name: str) -> Router:
        loads.append(name)
        time.sleep(0.05)
        return load(name)

    monkeypatch.setattr(Router, "from_pretrained", counted)
    with ThreadPoolExecutor(4) as threads:
        routers = list(threads.map(lambda _: endpoint.serving_router(), range(4)))

    # A container has one router, however many requests come first.
    assert loads == [str(tmp_path / "always")]
    assert decide_row(routers[3], {"query": "How far is the Moon?"})["tier"] == "large"
    assert shelved("../always") == "../always"
    assert shelved("default") == "default"


@pytest.mark.parametrize(
    ("variables", "config"),
    [
        ({}, ModalConfig()),
        (
            {
                "ROUTESDK_MODAL_GPU": "H100:2",
                "ROUTESDK_MODAL_SECRETS": "gemini, hub",
                "ROUTESDK_MODAL_TIMEOUT_S": "600",
                "ROUTESDK_MODAL_PROTECTED": "false",
                "PATH": "/bin",
            },
            ModalConfig(gpu="H100:2", secrets=("gemini", "hub"), timeout_s=600, protected=False),
        ),
    ],
)
def test_the_apps_settings_come_from_the_environment(variables: dict[str, str], config: ModalConfig) -> None:
    assert config_of_environment(variables) == config


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("GPUS", "L4", "no such setting"),
        ("TIMEOUT_S", "an hour", "no whole number"),
        ("TIMEOUT_S", "90000", "must be"),
        ("PROTECTED", "maybe", "neither true nor false"),
        ("PACKAGES", "numpy>=2", "not of the form NAME==VERSION"),
        ("GPU", "H100 please", "must match"),
        ("PUBLISH", "..", "must match"),
        ("PUBLISH", ".", "must match"),
        ("PUBLISH", "default", "is a bundled router"),
        ("DATA_VOLUME", "routesdk-checkpoints", "is the checkpoint volume too"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(variable: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of_environment({f"ROUTESDK_MODAL_{variable}": value})

    assert problem in str(caught.value)
    assert variable.lower() in str(caught.value).lower()


def test_options_in_a_config_file_are_checked_like_any_other() -> None:
    with pytest.raises(ConfigError) as caught:
        PluginHost(entry_points=False).executor("modal", gpus="L4")

    assert caught.value.key == "executor.modal.gpus"
    assert "gpu" in caught.value.fix


def test_the_config_page_names_every_option_with_its_default(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "config.md").read_text("utf-8")
    section = page.split("### Options of the executor `modal`")[1].split("\n## ")[0]
    for field in attrs.fields(ModalConfig):
        default = json.dumps(field.default)
        assert f"| `{field.name}` | `{default}` |" in section


def test_the_oracle_of_the_documentation_runs_on_modal(repository: Path) -> None:
    config = load_config(repository / "docs" / "snippets" / "modal.toml")

    options = dict(config.oracle.executor.options)
    assert config.oracle.executor.name == "modal"
    assert structure(options, ModalConfig).secrets == ("gemini",)


def test_without_modals_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("executor", "build", "courier", "failure"):
        monkeypatch.delitem(sys.modules, f"routesdk.plugins.serverless.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "modal", None)

    with pytest.raises(MissingExtraError) as caught:
        PluginHost(entry_points=False).executor("modal")

    assert caught.value.install == 'pip install "routesdk[modal]"'


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The stage function is executing locally:UserWarning")
def test_a_function_of_the_app_is_its_body(volume: Path) -> None:
    if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
        pytest.importorskip("modal", reason="modal is not installed")
    from routesdk.plugins.serverless.build import build_app

    put(volume, "a.txt", "straße")
    put(volume, "a.txt", "straße", run="body")
    deployment = build_app(ModalConfig(gpu="L4"))

    told = deployment.functions[""].local(SHOUT, "run", "a.txt")

    assert told == work.stage(SHOUT, "body", "a.txt") == {"output": "in/a.out", "shard": "", "error": ""}
    assert (volume / "runs" / "run" / "in" / "a.out").read_text() == "STRASSE"


def test_every_package_of_the_images_is_pinned_within_what_the_project_asks_for(repository: Path) -> None:
    packaging = pytest.importorskip("packaging.requirements", reason="packaging is not installed")
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = {}
    for line in (*pin.BASE, *pin.TRAINING):
        name, exact, version = line.partition("==")
        assert exact, line
        pinned[name] = version
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["gemini"], *extras["litellm"], *extras["openai"]]
    asked += [*extras["train"], *extras["encoder"]]
    for line in asked:
        requirement = packaging.Requirement(line)
        assert requirement.specifier.contains(pinned[requirement.name]), line
    assert len(asked) > 15


def test_a_packed_job_is_the_same_file_whenever_it_is_packed(tmp_path: Path) -> None:
    queries = tmp_path / "asked.txt"
    queries.write_text("How far is the Moon?\n")
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "weights.safetensors").write_bytes(b"weights")
    jobs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "job.zip"
        jobs.append(pack_job(file, queries, RoutingJob(checkpoint=str(tmp_path / "mine"), large_share=0.5)))

    assert layout.run_of(SHOUT, jobs[0]) == layout.run_of(SHOUT, jobs[1])
    assert layout.run_of(SHOUT, jobs[0]) != layout.run_of("other:stage", jobs[0])
    with zipfile.ZipFile(jobs[0]) as packed:
        assert str(tmp_path) not in packed.read("job.json").decode()
        assert packed.read("checkpoint/model/weights.safetensors") == b"weights"


# Over HTTP, by the application that Modal makes of the function.


@pytest.fixture(scope="module")
def web() -> Callable[..., tuple[int, bytes]]:
    """Ask the endpoint: `web(body)` returns the status and what came back."""
    if os.environ.get("ROUTESDK_REQUIRE_MODELS") != "1":
        pytest.importorskip("fastapi", reason="fastapi is not installed")
        pytest.importorskip("modal", reason="modal is not installed")
    import asyncio

    import httpx
    from modal._runtime import asgi

    app = asgi.magic_fastapi_app(endpoint.decide, "POST", docs=False)

    async def ask(body: bytes) -> tuple[int, bytes]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://loopback") as client:
            answer = await client.post("/", content=body, headers={"content-type": "application/json"})
            return answer.status_code, answer.content

    return lambda asked: asyncio.run(ask(asked if isinstance(asked, bytes) else json.dumps(asked).encode()))


@pytest.mark.slow
def test_the_endpoint_gives_the_record_that_the_sdk_gives(web: Callable[..., tuple[int, bytes]]) -> None:
    asked = {"messages": [{"role": "user", "content": "Who wrote Faust?"}], "id": "\ud800", "large_share": 1}

    status, content = web(asked)

    assert status == 200
    record = json.loads(content)
    assert record == decide_row(Router.from_pretrained("default"), asked)
    assert (record["query_id"], record["tier"]) == ("\ud800", "large")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"query": "  "}, "Not a query"),
        ({}, "neither 'query' nor 'messages'"),
        ({"query": "Who?", "large_share": 2}, "large_share"),
        ({"query": "Who?", "model": "gpt"}, "no such key"),
        ({"query": 3}, "Not a query"),
        ([], "dict"),
        (b"{", "JSON"),
        ({"query": "Who?", "id": "7" * 257}, "longer than 256 characters"),
        ({"query": "Who?", "explain": True}, "does not explain"),
    ],
)
def test_what_is_no_query_is_a_422_that_says_why(
    web: Callable[..., tuple[int, bytes]], asked: object, said: str
) -> None:
    status, content = web(asked)

    assert status == 422
    assert said in content.decode()


@pytest.mark.slow
def test_what_is_too_long_is_a_413(web: Callable[..., tuple[int, bytes]]) -> None:
    status, content = web({"query": "x" * 1_000_000})

    assert status == 413
    assert b"Send a shorter query" in content


@pytest.mark.slow
def test_an_endpoint_explains_where_it_was_deployed_to(
    web: Callable[..., tuple[int, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.EXPLAIN_ENV, "1")

    assert web({"query": "Who wrote Faust?", "explain": True})[0] == 200


@pytest.mark.slow
def test_a_router_that_cannot_be_loaded_is_the_servers_fault_and_its_log_says_why(
    fresh_container: None,
    web: Callable[..., tuple[int, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "router.json").write_text("{")
    monkeypatch.setenv(CHECKPOINTS_ENV, str(tmp_path))
    monkeypatch.setenv(layout.ENDPOINT_ENV, "broken")

    status, content = web({"query": "Who wrote Faust?"})

    assert status == 503
    assert str(tmp_path) not in content.decode()
    assert str(tmp_path) in caplog.text
