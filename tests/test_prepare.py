"""What language models are trained on: the strict form, the rows, the pairs, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk import PluginHost
from routesdk.dataset import example_to_row, write_examples
from routesdk.errors import DatasetError, LeakError, PolicyParseError, ReasonParseError, TrainingError
from routesdk.pipeline.prepare import (
    DECISION_FIRST,
    ORDERS,
    Taught,
    balanced,
    dpo_pairs,
    prepare,
    read_completion,
    read_oracle,
    reason_for,
    sft_rows,
    write_completion,
    write_preparation,
)
from routesdk.testing import make_examples, write_dataset
from routesdk.types import Dataset, Example, Grade, Outcome, Query

HOST = PluginHost(entry_points=False)
MATRIX = HOST.matrix("nine-cell")
ANALYST = HOST.analyst("heuristic")
NAMES = tuple(policy.name for policy in MATRIX.policies)
MODELS = ("medium-model", "large-model")


def taught(*policies: str) -> tuple[Taught, ...]:
    return tuple(
        Taught(
            id=f"row-{at}",
            query=Query(f"What is {at}?"),
            policy=policy,
            analysis=f"It is {at}.",
            gains=(0.0,),
        )
        for at, policy in enumerate(policies)
    )


def dataset(folder: Path, rows: list[dict[str, object]], name: str = "rows") -> Dataset:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Dataset(name=name, path=path, tiers=MODELS)


def graded(at: int, grades: str = "IC", **more: object) -> dict[str, object]:
    named = {"C": Grade.CORRECT, "I": Grade.INCORRECT, "A": Grade.ABSTAINED}
    outcomes = {
        model: Outcome(model=model, grade=named[letter], answer=f"answer {at}")
        for model, letter in zip(MODELS, grades, strict=True)
    }
    example = Example(
        id=f"r{at}", query=Query(f"Who was number {at}?"), reference="Ada Lovelace", outcomes=outcomes
    )
    return {**example_to_row(example), **more}


@pytest.mark.parametrize("order", ORDERS)
@given(policy=st.sampled_from(NAMES), reason=st.text(min_size=1).filter(lambda text: text.strip()))
def test_a_completion_reads_back_to_what_was_written(order: str, policy: str, reason: str) -> None:
    said = read_completion(write_completion(policy, reason, order), NAMES, order)

    assert said.policy == policy
    assert said.reason == " ".join(reason.split())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Policy: Complex\nReason: it is", PolicyParseError),
        ("policy: Complex_Query\nReason: it is", PolicyParseError),
        ("Complex_Query\nReason: it is", PolicyParseError),
        ("", PolicyParseError),
        ("Reason: it is\nPolicy: Complex_Query", PolicyParseError),
        ("I say Policy: Complex_Query\nReason: it is", PolicyParseError),
        ("Policy: Complex_Query", ReasonParseError),
        ("Policy: Complex_Query\nReason:", ReasonParseError),
        ("Policy: Complex_Query\nReason: one\nReason: two", ReasonParseError),
        ("Policy: Complex_Query\nbecause", ReasonParseError),
    ],
)
def test_what_is_not_in_the_form_raises_and_is_never_guessed(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_completion(text, NAMES)


def test_a_blank_reason_cannot_be_written() -> None:
    with pytest.raises(ReasonParseError):
        write_completion("Complex_Query", " \n ")


def test_a_rejected_completion_differs_in_its_policy_and_has_a_reason_that_fits_it() -> None:
    rows = taught(*NAMES * 20)

    for pair in dpo_pairs(rows, MATRIX.policies, DECISION_FIRST, seed=1):
        chosen, rejected = (read_completion(text, NAMES) for text in (pair.chosen, pair.rejected))
        wrong = next(policy for policy in MATRIX.policies if policy.name == rejected.policy)
        assert chosen.policy == pair.taught.policy != rejected.policy == pair.rejected_policy
        assert rejected.reason == reason_for(pair.taught, wrong)
        assert wrong.description in rejected.reason
        assert pair.taught.analysis in rejected.reason


def test_wrong_policies_are_drawn_over_all_wrong_ones_and_the_same_way_each_time() -> None:
    rows = taught(*("Complex_Query",) * 400)

    drawn = [pair.rejected_policy for pair in dpo_pairs(rows, MATRIX.policies, DECISION_FIRST, seed=3)]
    again = [pair.rejected_policy for pair in dpo_pairs(rows[200:], MATRIX.policies, DECISION_FIRST, seed=3)]
    other = [pair.rejected_policy for pair in dpo_pairs(rows, MATRIX.policies, DECISION_FIRST, seed=4)]

    counts = Counter(drawn)
    assert set(counts) == {"Standard_Query", "Ambiguous_Query"}
    # 400 fair draws lie within 4 standard deviations of 200.
    assert all(160 <= count <= 240 for count in counts.values())
    assert drawn[200:] == again
    assert drawn != other


def test_by_their_share_wrong_policies_are_drawn_as_often_as_the_rows_have_them() -> None:
    rows = taught(*("Complex_Query",) * 100, *("Ambiguous_Query",) * 90, *("Standard_Query",) * 10)

    pairs = dpo_pairs(rows, MATRIX.policies, DECISION_FIRST, rejected="prior", seed=0)

    counts = Counter(pair.rejected_policy for pair in pairs if pair.taught.policy == "Complex_Query")
    assert counts["Ambiguous_Query"] > 75


@pytest.mark.parametrize(("balance", "least", "most"), [("none", 10, 10), ("sqrt", 26, 38), ("full", 90, 90)])
def test_balance_repeats_rows_of_rare_policies(balance: str, least: int, most: int) -> None:
    rows = taught(*("Ambiguous_Query",) * 90, *("Standard_Query",) * 10)

    counts = Counter(row.policy for row in balanced(rows, balance, seed=0))

    assert counts["Ambiguous_Query"] == 90
    assert least <= counts["Standard_Query"] <= most
    assert {row.id for row in balanced(rows, balance, seed=0)} == {row.id for row in rows}


def test_policies_come_from_outcomes_by_the_matrix_and_reasons_from_the_rows(tmp_path: Path) -> None:
    rows = [graded(1, "IC", analysis="It names a number."), graded(2, "CC"), graded(3, "AA")]

    oracle = read_oracle((dataset(tmp_path, rows),), MATRIX, ANALYST)

    assert [row.policy for row in oracle.rows] == ["Complex_Query", "Standard_Query", "Ambiguous_Query"]
    assert oracle.rows[0].analysis == "It names a number."
    assert oracle.rows[1].analysis.strip()
    assert [row.gains for row in oracle.rows] == [(1.0,), (0.0,), (0.0,)]


def test_a_stored_label_that_is_no_policy_of_the_matrix_is_refused(tmp_path: Path) -> None:
    rows = [graded(1), graded(2, label={"policy": "Hard_Query", "cell": "IC"})]

    with pytest.raises(DatasetError) as caught:
        read_oracle((dataset(tmp_path, rows),), MATRIX, ANALYST)

    assert caught.value.line == 2
    assert "'Hard_Query'" in str(caught.value)


def test_rows_without_all_grades_are_kept_out_and_named(tmp_path: Path) -> None:
    score = graded(2)
    score["outcomes"] = {MODELS[0]: {"score": 0.5}, MODELS[1]: {"grade": "CORRECT"}}
    missing = graded(3)
    missing["outcomes"] = {MODELS[0]: {"grade": "CORRECT"}}

    oracle = read_oracle((dataset(tmp_path, [graded(1), score, missing]),), MATRIX, ANALYST)

    assert [row.id for row in oracle.rows] == ["r1"]
    assert dict(oracle.kept_out) == {
        "r2": "its outcome of medium-model is a score, not a grade",
        "r3": "it has no outcome of large-model",
    }


def test_training_refuses_reasons_that_give_an_answer_away(tmp_path: Path) -> None:
    rows = [graded(at, "IC" if at % 2 else "CC") for at in range(20)]
    rows[7]["analysis"] = "It asks for Ada Lovelace, whom few remember."

    with pytest.raises(LeakError) as caught:
        prepare((dataset(tmp_path, rows),), (), matrix=MATRIX, analyst=ANALYST)

    assert caught.value.ids == ("r7",)
    assert "analysis" in str(caught.value)


def test_validation_rows_that_are_learned_from_are_refused(tmp_path: Path) -> None:
    rows = [graded(at, "IC" if at % 2 else "CC") for at in range(20)]
    train, held = dataset(tmp_path, rows), dataset(tmp_path, rows[4:6], "held")

    with pytest.raises(LeakError) as caught:
        prepare((train,), (held,), matrix=MATRIX, analyst=ANALYST)

    assert caught.value.ids == ("r4", "r5")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "no row to learn from"),
        ([graded(at, "CC") for at in range(9)], "all 9 rows have the policy 'Standard_Query'"),
        ([graded(1, "CC"), graded(2, "IC")], "too few"),
    ],
)
def test_an_oracle_that_teaches_nothing_is_refused(
    tmp_path: Path, rows: list[dict[str, object]], problem: str
) -> None:
    with pytest.raises(TrainingError, match=problem):
        prepare((dataset(tmp_path, rows),), (), matrix=MATRIX, analyst=ANALYST)


def test_a_file_that_names_no_models_for_its_tiers_is_refused(tmp_path: Path) -> None:
    nameless = attrs.evolve(write_dataset(tmp_path / "rows.jsonl", make_examples(30)), tiers=())

    with pytest.raises(TrainingError, match="names 0 models for 2 tiers"):
        prepare((nameless,), (), matrix=MATRIX, analyst=ANALYST)


def test_what_is_prepared_is_written_with_ids_that_lead_back_to_the_oracle(tmp_path: Path) -> None:
    rows = write_dataset(tmp_path / "rows.jsonl", make_examples(120))
    prepared = prepare((rows,), (), matrix=MATRIX, analyst=ANALYST, seed=2)

    stored = write_preparation(prepared, tmp_path / "training")

    known = {example.id for example in make_examples(120)}
    read = {
        field: [json.loads(line) for line in getattr(stored, field).read_text().splitlines()]
        for field in ("sft_train", "sft_validation", "dpo_train", "dpo_validation")
    }
    learned, held = ({row["oracle_id"] for row in read[f"sft_{part}"]} for part in ("train", "validation"))
    assert learned | held == known
    assert not learned & held
    assert {row["oracle_id"] for row in read["dpo_train"]} == learned
    assert len({row["id"] for row in read["sft_train"]}) == len(read["sft_train"])
    for row in read["sft_train"]:
        assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
        assert all(policy.description in row["prompt"][0]["content"] for policy in MATRIX.policies)
        assert read_completion(row["completion"][0]["content"], NAMES).policy == row["policy"]
    statistics = json.loads(stored.statistics.read_text())
    assert statistics["rows"]["train"] == len(learned)
    assert sum(each["an_epoch_of_sft"] for each in statistics["policies"].values()) == len(read["sft_train"])


def test_the_same_oracle_and_seed_are_prepared_alike_and_in_the_other_order_too(tmp_path: Path) -> None:
    rows = write_dataset(tmp_path / "rows.jsonl", make_examples(80))

    first, second = (prepare((rows,), (), matrix=MATRIX, analyst=ANALYST, seed=5) for _ in range(2))
    reasons = prepare((rows,), (), matrix=MATRIX, analyst=ANALYST, seed=5, order="reason-first")

    assert first == second
    assert first.train == reasons.train
    assert reasons.sft[0].completion.startswith("Reason: ")
    assert [row.taught for row in sft_rows(first.train, MATRIX.policies, DECISION_FIRST)] == list(first.train)


def test_examples_without_reasons_are_given_one_that_leaks_nothing(tmp_path: Path) -> None:
    write_examples(tmp_path / "rows.jsonl", make_examples(60))
    oracle = read_oracle((Dataset(name="rows", path=tmp_path / "rows.jsonl", tiers=MODELS),), MATRIX, ANALYST)

    assert len(oracle.rows) + len(oracle.kept_out) == 60
    assert all("its reason may not be used" in problem for _, problem in oracle.kept_out)
