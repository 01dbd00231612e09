"""Files changed by hand, and stages that fail: nothing is lost, and the next run goes on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from projects import contents, did, open_project, reasons, states, write_project
from routesdk._lock import sole_writer
from routesdk.errors import ConfigError, EditedFilesError
from routesdk.pipeline.project import KEEP, REPLACE, Step, deed, record, run

TRAIN = Path("data/splits/simpleqa_train.jsonl")
ORACLE = Path("data/generated/oracle_dataset.jsonl")


def drop_a_line(file: Path) -> str:
    """Change a file by hand; returns what it then holds."""
    text = "".join(file.read_text("utf-8").splitlines(keepends=True)[1:])
    file.write_text(text, encoding="utf-8")
    return text


def test_a_file_changed_by_hand_is_noticed_and_not_written_over(project: Path) -> None:
    mine = drop_a_line(TRAIN)
    before = contents("data", "router_checkpoints", "evaluation")

    assert states()["split"] == "changed by hand"
    assert f"{TRAIN.as_posix()} was changed after the run that wrote it" in reasons("split")
    assert states()["oracle"] == "stale"
    with pytest.raises(EditedFilesError) as refused:
        run(open_project())

    assert refused.value.files == (TRAIN.as_posix(),)
    assert "--keep-edits" in str(refused.value)
    assert "--replace-edits" in str(refused.value)
    assert TRAIN.read_text("utf-8") == mine
    assert contents("data", "router_checkpoints", "evaluation") == before


def test_edits_that_are_kept_are_what_the_next_stages_read(project: Path) -> None:
    drop_a_line(TRAIN)
    rows = len(TRAIN.read_text("utf-8").splitlines())

    steps = run(open_project(), edits=KEEP)

    assert did(steps) == ("oracle", "train", "evaluate", "report")
    assert len(ORACLE.read_text("utf-8").splitlines()) == rows
    assert set(states().values()) == {"done", "not needed"}
    assert not did(run(open_project()))


def test_edits_that_were_kept_are_not_written_over_later_either(project: Path) -> None:
    mine = drop_a_line(TRAIN)
    run(open_project(), edits=KEEP, until="split")
    write_project(oracle="test_share = 0.3")

    assert states()["split"] == "changed by hand"
    with pytest.raises(EditedFilesError, match=r"oracle\.test_share is 0\.3, was 0\.2"):
        run(open_project())
    assert TRAIN.read_text("utf-8") == mine
    steps = run(open_project(), edits=REPLACE, until="split")
    assert Path("data/splits/simpleqa_train.edited-1.jsonl") in steps[1].aside
    assert Path("data/splits/simpleqa_train.edited-1.jsonl").read_text("utf-8") == mine


def test_edits_that_are_replaced_lie_beside_under_another_name(project: Path) -> None:
    before = TRAIN.read_bytes()
    first = drop_a_line(TRAIN)
    run(open_project(), edits=REPLACE, until="split")
    second = drop_a_line(TRAIN) + "\n"
    TRAIN.write_text(second, encoding="utf-8")
    steps = run(open_project(), edits=REPLACE)

    assert TRAIN.read_bytes() == before
    assert Path("data/splits/simpleqa_train.edited-1.jsonl").read_text("utf-8") == first
    assert Path("data/splits/simpleqa_train.edited-2.jsonl").read_text("utf-8") == second
    # The train part is as it was, so nothing else is run.
    assert did(steps) == ("split",)


def test_a_checkpoint_changed_by_hand_is_put_aside_whole(project: Path) -> None:
    card = Path("router_checkpoints/router_final/README.md")
    card.write_text("mine", encoding="utf-8")

    assert states()["train"] == "changed by hand"
    run(open_project(), edits=REPLACE)

    assert Path("router_checkpoints/router_final.edited-1/README.md").read_text("utf-8") == "mine"
    assert card.read_text("utf-8") != "mine"


def test_files_that_no_run_wrote_are_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_project()
    ORACLE.parent.mkdir(parents=True)
    ORACLE.write_text("mine\n", encoding="utf-8")

    assert "lies there, and no run wrote it" in reasons("oracle")
    with pytest.raises(EditedFilesError):
        run(open_project())
    with pytest.raises(ConfigError, match=r"oracle_dataset\.kept_out\.jsonl.* is not there"):
        run(open_project(), edits=KEEP)
    run(open_project(), edits=REPLACE, until="oracle")
    assert Path("data/generated/oracle_dataset.edited-1.jsonl").read_text("utf-8") == "mine\n"


def test_only_the_stages_that_are_asked_for_mind_edits(project: Path) -> None:
    drop_a_line(ORACLE)

    assert not did(run(open_project(), until="split"))
    with pytest.raises(EditedFilesError):
        run(open_project(), until="oracle")


def test_a_run_that_ends_while_it_moves_files_is_ended_by_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(oracle="test_share = 0.3")
    whole = contents("data/splits")
    place, moved = record._place, []

    def die(source: Path, target: Path, replaced: Path) -> None:
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        place(source, target, replaced)

    monkeypatch.setattr(record, "_place", die)
    with pytest.raises(KeyboardInterrupt):
        run(open_project(), until="split")
    monkeypatch.setattr(record, "_place", place)

    # One file is new, the other old: nobody changed them by hand, and the next run knows.
    assert sum(whole[name] != now for name, now in contents("data/splits").items()) == 1
    assert states()["split"] == "unfinished"
    assert did(run(open_project(), until="split"), "kept") == ("download", "split")
    assert states()["split"] == "done"
    assert all(whole[name] != now for name, now in contents("data/splits").items())


def test_a_file_changed_while_a_run_is_under_way_is_not_written_over(project: Path) -> None:
    write_project(oracle="test_share = 0.3")

    def meddle(step: Step) -> None:
        if (step.stage, step.what) == ("split", "done"):
            ORACLE.write_text("mine\n", encoding="utf-8")

    with pytest.raises(EditedFilesError):
        run(open_project(), listen=meddle)

    assert ORACLE.read_text("utf-8") == "mine\n"
    assert (states()["split"], states()["oracle"]) == ("done", "changed by hand")


def test_an_old_file_changed_while_its_stage_is_run_is_put_aside(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(train="seed = 3")
    card = Path("router_checkpoints/router_final/README.md")
    real = deed.train

    def meddle(work: deed.Work) -> str:
        card.write_text("mine", encoding="utf-8")
        return real(work)

    monkeypatch.setattr(deed, "train", meddle)
    steps = run(open_project())

    assert Path("router_checkpoints/router_final.edited-1/README.md").read_text("utf-8") == "mine"
    assert steps[3].aside == (Path("router_checkpoints/router_final.edited-1"),)
    assert set(states().values()) == {"done", "not needed"}


def test_force_puts_aside_what_was_kept(project: Path) -> None:
    mine = drop_a_line(TRAIN)
    run(open_project(), edits=KEEP, until="split")

    run(open_project(), force=True, start="split", until="split")

    assert Path("data/splits/simpleqa_train.edited-1.jsonl").read_text("utf-8") == mine
    assert states()["split"] == "done"


def test_files_come_into_place_on_another_disk_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(train="seed = 3")
    replace = Path.replace

    def across(self: Path, target: Path) -> Path:
        if ".routesdk/partial" in self.as_posix() and ".routesdk" not in Path(target).as_posix():
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", across)

    assert did(run(open_project())) == ("train", "evaluate", "report")
    assert set(states().values()) == {"done", "not needed"}
    assert not list(Path("evaluation/results").glob(".*"))


def test_a_stage_that_fails_leaves_the_last_good_files(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(train="seed = 3")
    before = contents("data", "router_checkpoints/router_final", "evaluation")

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(deed, "train", fail)
        with pytest.raises(OSError, match="No space left"):
            run(open_project())

    assert contents("data", "router_checkpoints/router_final", "evaluation") == before
    assert states()["train"] == "unfinished"
    assert did(run(open_project())) == ("train", "evaluate", "report")


def test_two_runs_at_once_do_not_disturb_each_other(project: Path) -> None:
    with (
        sole_writer(Path(".routesdk/run.lock"), 0.0),
        pytest.raises(ConfigError, match="another run is under way"),
    ):
        run(open_project())


def test_a_record_that_cannot_be_read_is_told(project: Path) -> None:
    Path(".routesdk/stages/split.json").write_text("{", encoding="utf-8")

    with pytest.raises(ConfigError, match="Remove this file"):
        states()
    Path(".routesdk/stages/split.json").write_text('{"version": 99}', encoding="utf-8")
    with pytest.raises(ConfigError, match="another version"):
        states()
