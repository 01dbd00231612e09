"""The pipeline in one command: what is run, what is kept, what is stale and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import routesdk
from projects import FILES, LINEAR, config, did, open_project, reasons, states, write_project
from routesdk import Router
from routesdk.dataset import read_examples, write_examples
from routesdk.errors import ConfigError, LeakError, UnknownComponentError
from routesdk.host import PluginHost
from routesdk.pipeline.evaluation import read_evaluation
from routesdk.pipeline.project import Project, estimate, run
from routesdk.testing import MODELS, make_examples


def test_a_run_writes_the_files_that_people_expect(project: Path) -> None:
    for name in FILES:
        assert (project / name).stat().st_size > 0, name
    assert not (project / ".routesdk" / "partial" / "train").exists()
    assert (
        Router.from_pretrained(project / "router_checkpoints" / "router_final").route("Why?").model in MODELS
    )
    assert "<html" in (project / "evaluation" / "results" / "report.html").read_text("utf-8")


def test_the_router_is_judged_on_the_test_part_and_learns_from_the_train_part(project: Path) -> None:
    train, test, judged = (
        {example.id for example in read_examples(project / "data" / name)}
        for name in (
            "splits/simpleqa_train.jsonl",
            "splits/simpleqa_test.jsonl",
            "generated/test_outcomes.jsonl",
        )
    )
    learned = {example.id for example in read_examples(project / "data/generated/oracle_dataset.jsonl")}
    results = (project / "evaluation/results/router_results.jsonl").read_text("utf-8").splitlines()

    assert learned <= train
    assert not train & test
    assert judged == test == {json.loads(line)["id"] for line in results}


def test_a_second_run_has_nothing_to_do(project: Path) -> None:
    assert set(states().values()) == {"done", "not needed"}

    steps = run(open_project())

    assert did(steps, "kept") == LINEAR
    assert not did(steps)


def test_a_project_can_be_moved_and_its_source_too(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    Path("recorded.jsonl").rename("source.jsonl")
    file = Path("routesdk.toml")
    file.write_text(file.read_text("utf-8").replace("recorded.jsonl", "source.jsonl"), encoding="utf-8")

    # What a file holds counts, and not where it lies.
    assert set(states().values()) == {"done", "not needed"}


@pytest.mark.parametrize(
    ("changed", "stale", "why"),
    [
        ({"oracle": "test_share = 0.3"}, "split", "oracle.test_share is 0.3, was 0.2"),
        ({"oracle": "split_seed = 1"}, "split", "oracle.split_seed is 1, was 0"),
        ({"oracle": "limit = 60"}, "oracle", "oracle.limit is 60, was null"),
        ({"oracle": 'system = ""'}, "oracle", 'oracle.system is "", was "Answer'),
        ({"train": "seed = 3"}, "train", "train.seed is 3, was 0"),
        ({"train": "validation_share = 0.3"}, "train", "train.validation_share is 0.3, was 0.15"),
        ({"more": "seed = 5"}, "evaluate", "evaluate.seed is 5, was 0"),
        (
            {"more": "[prices.m]\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2"},
            "evaluate",
            "prices.m is {",
        ),
        ({"more": "[router]\nlarge_share = 0.5"}, "evaluate", "router.large_share is 0.5, was null"),
    ],
)
def test_a_changed_config_makes_stale_what_depends_on_it(
    project: Path, changed: dict[str, str], stale: str, why: str
) -> None:
    write_project(**changed)  # type: ignore[arg-type]
    found = states()
    at = LINEAR.index(stale)

    assert found[stale] == "stale"
    assert why in reasons(stale)
    assert {found[name] for name in LINEAR[:at]} <= {"done"}
    # What comes later may yet be as it was: that shows when this has been run.
    for name in LINEAR[at + 1 :]:
        assert found[name] in ("waiting", "stale"), name


def test_another_version_measures_anew_and_trains_nothing_anew(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routesdk, "__version__", "9.9")

    assert "routesdk is 9.9, was " in reasons("evaluate")
    assert {name for name, state in states().items() if state == "stale"} == {"evaluate", "report"}


@pytest.mark.parametrize(
    "oracle",
    ["max_usd = 3", "concurrency = 2", "timeout_s = 9", "attempts = 2", "requests_per_minute = 90000"],
)
def test_what_changes_no_result_makes_nothing_stale(project: Path, oracle: str) -> None:
    write_project(oracle=oracle)

    assert set(states().values()) == {"done", "not needed"}


def test_only_what_is_stale_is_run_and_equal_files_are_equal_inputs(project: Path) -> None:
    write_project(train="seed = 3")
    assert did(run(open_project())) == ("train", "evaluate", "report")

    # Made anew the test part is byte by byte the same, so nothing behind it is run.
    Path("data/splits/simpleqa_test.jsonl").unlink()
    assert "data/splits/simpleqa_test.jsonl is missing" in reasons("split")
    assert did(run(open_project())) == ("split",)


def test_a_changed_source_is_noticed(project: Path) -> None:
    write_examples("recorded.jsonl", make_examples(180))

    assert states()["download"] == "stale"
    assert "the file that oracle.benchmark.path names has changed, or is missing" in reasons("download")


def test_stages_before_from_are_taken_as_they_are(project: Path) -> None:
    write_project(oracle="test_share = 0.3", train="seed = 3")

    steps = run(open_project(), start="train")

    assert did(steps) == ("train", "evaluate", "report")
    assert states()["split"] == "stale"
    assert did(run(open_project(), until="SPLIT")) == ("split",)


def test_force_runs_what_is_done(project: Path) -> None:
    steps = run(open_project(), start="train", until="train", force=True)

    assert did(steps) == ("train",)
    assert steps[0].reasons == ("it is run again as you asked",)


def test_from_needs_what_lies_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_project()

    with pytest.raises(ConfigError, match=r"needs data/generated/oracle_dataset.*Leave out --from"):
        run(open_project(), start="train")
    run(open_project(), until="oracle")
    Path("data/splits/simpleqa_test.jsonl").unlink()
    # The evaluation reads it, though training does not.
    with pytest.raises(ConfigError, match=r"needs data/splits/simpleqa_test\.jsonl, which is not there"):
        run(open_project(), start="train")
    assert not Path("router_checkpoints").exists()


@pytest.mark.parametrize(
    ("start", "until", "said"),
    [
        (
            "evalute",
            None,
            r"'evalute': is no stage. Stages: download, split, oracle, train, evaluate, report",
        ),
        (None, "sft", r"the trainer 'linear' learns from the oracle's rows themselves"),
        ("dpo", None, r"Choose one of download, split, oracle, train, evaluate, report"),
        ("report", "split", r"--from = report: comes after --until split"),
    ],
)
def test_a_stage_that_cannot_be_run_is_refused(
    project: Path, start: str | None, until: str | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        run(open_project(), start=start, until=until)


def test_the_trainer_says_which_stages_there_are() -> None:
    def needed(text: str) -> tuple[str, ...]:
        settings = config_of(text)
        return Project.of(settings, PluginHost(entry_points=False)).needed

    both = ("download", "split", "oracle")
    assert needed('trainer = "linear"') == LINEAR
    assert needed('trainer = "encoder"') == LINEAR
    assert needed('trainer = "qlora-sft"') == (*both, "prepare", "sft", "evaluate", "report")
    assert needed('trainer = "qlora-dpo"') == (*both, "prepare", "sft", "dpo", "evaluate", "report")
    # On another machine SFT and DPO are one job, or SFT would be paid for twice.
    assert needed('trainer = "qlora-dpo"\nexecutor = "modal"') == (
        *both,
        "prepare",
        "dpo",
        "evaluate",
        "report",
    )


def config_of(train: str) -> object:
    import tomllib

    from routesdk.config import Config
    from routesdk.structure import structure

    return structure(tomllib.loads(f"[train]\n{train}"), Config)


def test_a_test_part_that_was_made_beforehand_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = make_examples(160)
    write_examples("held.jsonl", rows[:40])
    write_examples("recorded.jsonl", rows[40:])
    write_project(oracle='held_out = "held.jsonl"')

    run(open_project(), until="split")

    assert [each.id for each in read_examples("data/splits/simpleqa_test.jsonl")] == [
        each.id for each in rows[:40]
    ]
    write_examples("held.jsonl", rows[:41])
    with pytest.raises(LeakError):
        run(open_project(), until="split")
    # The earlier split is still there, whole.
    assert sum(1 for _ in read_examples("data/splits/simpleqa_test.jsonl")) == 40


def test_other_rows_than_the_oracles_are_refused(project: Path) -> None:
    write_project(train='data = ["mine.jsonl"]')

    with pytest.raises(ConfigError, match="use your own rows with `routesdk train`"):
        open_project()
    write_project(more='data = ["mine.jsonl"]')
    with pytest.raises(ConfigError, match="use your own rows with `routesdk evaluate`"):
        open_project()
    write_project(
        train='data = ["data/generated/oracle_dataset.jsonl"]',
        more='data = ["data/generated/test_outcomes.jsonl"]\nformat = "md"',
    )
    assert set(states().values()) == {"done", "not needed"}


@pytest.mark.parametrize("output", [".", "router/.."])
def test_the_router_needs_a_folder_of_its_own(project: Path, output: str) -> None:
    write_project(train=f'output = "{output}"')

    with pytest.raises(ConfigError, match="names no folder of its own"):
        open_project()


def test_a_benchmark_without_rows_or_with_too_few_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recorded.jsonl").write_text("", encoding="utf-8")
    write_project()
    with pytest.raises(ConfigError, match="has no rows"):
        run(open_project())
    write_examples("recorded.jsonl", make_examples(1))
    with pytest.raises(ConfigError, match=r"leaves the t.* part empty"):
        run(open_project())


def test_the_name_of_the_files_is_the_benchmarks_where_none_is_given(project: Path) -> None:
    file = Path("routesdk.toml")
    file.write_text(file.read_text("utf-8").replace('name = "simpleqa"', ""), encoding="utf-8")

    assert config().project.name is None
    assert open_project().layout.benchmark == Path("data/benchmarks/recorded.jsonl")


def test_an_option_that_was_changed_is_named_with_both_values(project: Path) -> None:
    text = Path("routesdk.toml").read_text(encoding="utf-8")
    Path("routesdk.toml").write_text(text.replace("bits = 10", "bits = 11"), encoding="utf-8")

    assert reasons("train") == "train.trainer.bits is 11, was 10"


@pytest.mark.parametrize("oracle", ['matrix = "cheapest-correct"', 'matrix = { name = "no-such" }'])
def test_training_that_would_label_otherwise_than_the_oracle_is_refused(project: Path, oracle: str) -> None:
    write_project(oracle=oracle)

    with pytest.raises((ConfigError, UnknownComponentError)) as found:
        open_project()
    assert "matrix" in str(found.value)


def test_the_matrix_may_be_another_where_both_name_it(project: Path) -> None:
    name = 'matrix = "cheapest-correct"'
    write_project(oracle=name, train=name)

    run(open_project())

    assert set(states().values()) <= {"done", "not needed"}


def test_a_matrix_for_other_tiers_is_refused_before_anything_is_paid(project: Path) -> None:
    write_project(oracle='matrix = "cheapest-correct"')
    text = Path("routesdk.toml").read_text(encoding="utf-8")
    third = '[[oracle.tiers]]\nname = "huge"\nmodel = "third"\n\n[train]'
    Path("routesdk.toml").write_text(text.replace("[train]", third), encoding="utf-8")

    with pytest.raises(ConfigError, match=r"train.matrix = 'nine-cell': is not for the tiers of the oracle"):
        open_project()


def test_tiers_may_have_other_names(project: Path) -> None:
    text = Path("routesdk.toml").read_text(encoding="utf-8")
    renamed = text.replace('name = "medium"', 'name = "small"').replace('name = "large"', 'name = "big"')
    Path("routesdk.toml").write_text(renamed, encoding="utf-8")

    run(open_project())

    router = Router.from_pretrained(Path("router_checkpoints/router_final").resolve())
    assert [tier.name for tier in router.mapping.tiers] == ["small", "big"]
    assert {policy.tier for policy in router.matrix.policies} == {"small", "big"}


def test_a_dry_run_needs_what_the_run_needs(project: Path) -> None:
    Path("data/splits/simpleqa_test.jsonl").unlink()

    with pytest.raises(ConfigError, match="Leave out --from"):
        estimate(open_project(), start="evaluate")


def test_it_is_said_where_test_rows_have_grades_of_another_judge(project: Path) -> None:
    file = project / "routesdk.toml"
    recorded = 'judge = { name = "recorded", options = { path = "recorded.jsonl" } }'
    file.write_text(file.read_text("utf-8").replace(recorded, 'judge = "lexical"'), encoding="utf-8")

    (summary,) = (
        each.summary for each in run(open_project()) if (each.stage, each.what) == ("evaluate", "done")
    )

    said = "test rows keep the grades that the benchmark brings, while 'lexical' graded what was learned from"
    assert said in summary
    assert any(said in note for note in read_evaluation(project / "evaluation" / "results").notes)


def test_nothing_is_said_of_judges_where_all_rows_have_recorded_grades(project: Path) -> None:
    notes = read_evaluation(project / "evaluation" / "results").notes
    assert not [note for note in notes if "grades that the benchmark brings" in note]
