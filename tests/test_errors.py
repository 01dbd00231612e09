"""Errors cross process borders, carry their data as fields, and say what to do."""

from __future__ import annotations

import inspect
import pickle
from typing import cast

import attrs
import pytest

from routesdk import errors
from routesdk.errors import RouteSDKError

# One of each, with the word of the fix that its text must hold.
EXAMPLES: tuple[tuple[RouteSDKError, str], ...] = (
    (errors.InvalidQueryError("its text is blank"), "non-blank string"),
    (
        errors.ConfigError("mapping.rules[0].name", "3", "is a whole number", "Give a name.", "a.toml"),
        "Give a",
    ),
    (errors.UnknownComponentError("rule", "keywrd", ("keyword", "tag")), "Did you mean 'keyword'?"),
    (errors.ComponentConflictError("rule", "tag", ("one-dist", "other-dist")), "Uninstall one, or block"),
    (errors.PluginLoadError("tiny", "tiny-dist", "ImportError: no", "rule 'tag'"), "Repair or upgrade"),
    (errors.MissingExtraError("gemini", "pip install x", "no module"), "Run: pip install x"),
    (errors.PredictionError("linear", "sums to 1.2"), "no valid prediction"),
    (errors.PolicyParseError("Standart_Query", ("Standard_Query",)), "Did you mean 'Standard_Query'?"),
    (errors.ReasonParseError("Reason:", "it is blank"), "one line of text"),
    (errors.RuleError("keyword", "ValueError: no"), 'on_error = "skip"'),
    (errors.UnknownModelError("gpt-5o", ("gpt-4o",), "rule 'tag'"), "Bind it to a tier"),
    (errors.NoModelAllowedError(("'pro': too dear", "'flash': offline")), "Relax a constraint"),
    (errors.UnknownPriceError("my-model", ("gpt-4o",)), "with_price('my-model'"),
    (errors.PriceStepError("pro", 300_000, 200_000), 'in [prices."pro"]'),
    (errors.BudgetError("Reservation 7 is settled already", "Settle once."), "Settle once."),
    (errors.CheckpointError("a/router.json", "is truncated"), "save_pretrained"),
    (
        errors.MissingPluginError("mine", ("rule 'x' of dist-x 1.0",), "pip install dist-x"),
        "Run: pip install",
    ),
    (errors.DatasetError("rows.jsonl", 7, "'query' is missing"), "Mend the row"),
    (errors.BackendError("gemini", "429", retryable=True), "Trying again may help."),
    (errors.JudgeError("mine", "it raised ValueError: no"), "use another judge"),
    (errors.RunningLoopError("answer", "`await router.aanswer(...)`"), "Write `await router.aanswer(...)`."),
    (errors.JournalError("oracle.sqlite", "the disk is full", "Make room, and run again."), "Make room"),
    (errors.RunStoppedError("the budget is used up", "Raise it.", 3, 9), "at 3 of 9 rows"),
    (errors.LeakError("evaluation", tuple(f"row-{n}" for n in range(9))), "Take them out"),
    (
        errors.LeakError("evaluation", ("7",), "the checkpoint abc", ("9 rows of mine",)),
        "leak-check --checkpoint",
    ),
    (errors.MetricError("APGR", "one model alone"), "not defined here"),
    (errors.TrainingError("linear", "no rows", "Give some."), "Give some."),
    (errors.EditedFilesError(("a.jsonl",), ("split: a.jsonl was changed",)), "--keep-edits"),
    (errors.StageError("a.b:c", "shard-1", "OSError: full"), "shard-1"),
    (errors.ExecutorError("modal", "there is no account", "Make one."), "Make one."),
)


def _fields(error: RouteSDKError) -> dict[str, object]:
    return attrs.asdict(cast("attrs.AttrsInstance", error))


def test_there_is_an_example_of_every_error() -> None:
    defined = {
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, RouteSDKError) and each is not RouteSDKError
    }
    assert {type(error) for error, _ in EXAMPLES} == defined


@pytest.mark.parametrize(("error", "fix"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_error_names_its_data_and_what_to_do(error: RouteSDKError, fix: str) -> None:
    text = str(error)

    assert fix in text
    assert text.rstrip("'\")").endswith((".", "?")) or "Run: " in text
    for name, value in _fields(error).items():
        if isinstance(value, str) and value:
            assert value in text, f"{name} is not in the text"


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_with_fields_and_text(error: RouteSDKError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert _fields(copy) == _fields(error)
    assert str(copy) == str(error)


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_can_be_raised_caught_by_its_root_and_given_a_note(error: RouteSDKError) -> None:
    with pytest.raises(RouteSDKError) as caught:
        try:
            raise error
        except RouteSDKError as again:
            again.add_note("while routing")
            raise

    assert caught.value.__notes__[-1] == "while routing"


def test_many_leaked_rows_are_counted_and_only_some_are_shown() -> None:
    text = str(errors.LeakError("evaluation", tuple(f"row-{n}" for n in range(9))))

    assert text.startswith("9 rows must not be used for evaluation: row-0, ")
    assert "row-5" not in text and "row-4 and 4 more. Take" in text


def test_no_hint_is_given_where_nothing_is_near_or_known() -> None:
    assert "Known: keyword, tag." in str(errors.UnknownComponentError("rule", "zzz", ("keyword", "tag")))
    assert "Known: none." in str(errors.UnknownComponentError("rule", "zzz", ()))
