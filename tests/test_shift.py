"""The shift score: false alarms at the rate it states, other domains told, nothing broken by odd texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from command import Command
from routers import host_with_fake, make_router
from routesdk import Query, Router
from routesdk.checkpoint import SHIFT, read_checkpoint
from routesdk.dataset import write_examples
from routesdk.errors import CheckpointError, ConfigError
from routesdk.pipeline.shift import learn_shift, learn_shift_of
from routesdk.shift import ALARM_LEVEL, SHIFT_NOTICE, ShiftScore, assess_scores
from routesdk.shift.reading import LIMIT, plain, runs, shape, shapes
from routesdk.shift.store import read_shift, shift_bytes
from routesdk.testing import make_examples, odd_queries, script_queries
from routesdk.types import Dataset
from shifts import USUAL, code, learned, learned_varied, questions, varied


def test_new_queries_of_the_domain_are_called_unlike_at_the_stated_rate() -> None:
    scores = learned_varied().score(varied(2000, 99))

    # At most the rate, but for what 600 rows set the threshold off by; and not never.
    assert 0.005 <= (scores >= learned_varied().threshold).mean() <= 0.08
    # Fitted to a fifth more rows than the reference was, new rows look a little more familiar.
    assert 0.35 <= scores.mean() <= 0.55


@pytest.mark.parametrize("false_alarm", [0.01, 0.2])
def test_another_rate_is_another_threshold(false_alarm: float) -> None:
    shift = learned_varied().with_false_alarm(false_alarm)

    assert shift.threshold == pytest.approx(1 - false_alarm)
    found = float((shift.score(varied(2000, 5)) >= shift.threshold).mean())
    assert 0.1 * false_alarm <= found <= 1.2 * false_alarm + 0.02


def test_few_rows_keep_the_rate_too() -> None:
    rates, groups = [], {"varied": np.arange(200)}
    for seed in range(12):
        shift = learn_shift({"varied": varied(200, seed)}, groups=groups)
        rates.append((shift.score(varied(200, 100 + seed)) >= shift.threshold).mean())

    assert np.mean(rates) < 0.05


def test_a_rate_that_no_score_reaches_is_refused() -> None:
    assert learned().reference_rows == 600
    learned().with_false_alarm(1 / 601)

    with pytest.raises(ConfigError, match="600 distances"):
        learned().with_false_alarm(1 / 602)


def test_another_domain_is_told_alone_and_together() -> None:
    shift = learned()

    assert (shift.score(code(50)) >= shift.threshold).mean() > 0.95
    found = shift.assess(code(10))
    assert found.shifted
    assert found.unlike == found.rows == 10
    assert found.p_value < 0.001
    assert "from another domain" in found.sentence


def test_a_batch_of_the_domain_is_called_unlike_about_once_in_a_hundred() -> None:
    scores = learned().score(questions(6000, 7)).reshape(300, 20)

    called = [assess_scores(row, 0.05, 600).shifted for row in scores]

    assert np.mean(called) <= 0.05
    assert "not surely" in assess_scores(scores[0], 0.05, 600).sentence


def test_many_queries_tell_what_one_cannot() -> None:
    # Each alone is below the threshold; a hundred of them are not chance.
    few, many = assess_scores([0.9] * 2, 0.05, 1000), assess_scores([0.9] * 100, 0.05, 1000)

    assert few.unlike == many.unlike == 0
    assert not few.shifted
    assert many.shifted


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 40, 300]))
def test_the_test_of_a_batch_keeps_its_level_for_uniform_scores(seed: int, rows: int) -> None:
    scores = np.random.default_rng(seed).random((400, rows))

    assert np.mean([assess_scores(row, 0.05, 10**9).p_value < 0.1 for row in scores]) < 0.16


def test_a_query_that_is_asked_again_counts_once() -> None:
    found = learned().assess([code(1)[0]] * 50)

    assert found.rows == 1
    assert not found.shifted


def test_low_scores_are_never_shifted() -> None:
    assert assess_scores(np.zeros(1000), 0.05, 1000).p_value == 1.0


@pytest.mark.parametrize("scores", [[], [0.5, float("nan")], [1.5], [-0.1]])
def test_scores_that_are_none_are_refused(scores: list[float]) -> None:
    with pytest.raises(ConfigError):
        assess_scores(scores, 0.05, 100)


def test_one_query_scores_as_it_does_among_many() -> None:
    queries = [*questions(200, 3), *code(30), *[query.text for query in odd_queries()]]
    shift = learned()

    together = shift.score(queries)

    assert [float(shift.score([text])[0]) for text in queries] == pytest.approx(together.tolist(), abs=1e-9)
    assert len(shift.score([])) == 0


def test_shapes_of_many_texts_are_those_of_each() -> None:
    longest = "\U0001f600" * LIMIT
    texts = [
        *questions(700, 3),
        *code(30),
        *[query.text for query in odd_queries()],
        longest,
        longest + "\n",
        "İ",
    ]
    texts += [query.text for query in script_queries()]
    data = [plain(text) for text in texts]

    together = shapes(texts, data)

    assert together.tolist() == [list(shape(text, each)) for text, each in zip(texts, data, strict=True)]
    scores = learned().score(texts)
    assert scores.tolist() == [learned().score_text(text) for text in texts]


def test_odd_queries_and_other_scripts_get_a_score() -> None:
    scores = learned().score([*odd_queries(), *script_queries()])

    assert ((scores >= 0.0) & (scores <= 1.0)).all()
    others = [query for query in script_queries() if not query.text.isascii()]
    assert (learned().score(others) >= learned().threshold).mean() > 0.8


def test_a_mix_of_sets_is_familiar_where_each_row_is_like_one_of_them() -> None:
    both = learn_shift({"questions": questions(400, 1), "code": code(400, 1)})
    mixed = [*questions(300, 8), *code(300, 8)]

    assert [source.name for source in both.sources] == ["questions", "code"]
    assert not both.assess(mixed).shifted
    assert learned().assess(mixed).shifted


def test_what_is_all_too_familiar_is_not_called_unlike() -> None:
    # Each fold lacks a template that the whole has: its rows look stranger to it than they are.
    texts = [f"Template {form}: which {form * 3} is number {at}?" for form in range(10) for at in range(30)]

    shift = learn_shift({"forms": texts})

    assert (shift.score(texts) >= shift.threshold).mean() <= 0.06


@pytest.mark.parametrize(
    ("sources", "rate"), [({}, 0.05), ({"few": ["Who?"]}, 0.05), ({"few": questions(30, 1)}, 0.05)]
)
def test_too_little_to_learn_from_is_refused(sources: Mapping[str, list[str]], rate: float) -> None:
    with pytest.raises(ConfigError) as caught:
        learn_shift(sources, false_alarm=rate)

    assert caught.value.key == "shift.sources"


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_must_lie_between_0_and_1(rate: float) -> None:
    with pytest.raises(ConfigError):
        learned().with_false_alarm(rate)


def test_files_with_few_rows_teach_no_score(tmp_path: Path) -> None:
    write_examples(tmp_path / "few.jsonl", make_examples(20))
    write_examples(tmp_path / "more.jsonl", make_examples(200))
    few, more = (Dataset(name=name, path=tmp_path / f"{name}.jsonl") for name in ("few", "more"))

    assert learn_shift_of((few,)) is None
    found = learn_shift_of((more,))
    assert found is not None
    assert found.sources[0].rows == 200


def test_texts_are_read_without_case_and_layout() -> None:
    assert plain("  Who\n is\tit? ") == plain("who is IT?") == b" who is it?   "
    assert len(runs(plain("x"), 16)) == 2
    assert shape("a\nb", plain("a\nb"))[-1] > 0.0


def test_it_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "shift.safetensors"
    file.write_bytes(shift_bytes(learned()))

    again = read_shift(file)

    assert again.sources == learned().sources
    assert again.false_alarm == learned().false_alarm
    texts = [*questions(50, 2), *code(20)]
    assert again.score(texts).tolist() == learned().score(texts).tolist()
    assert shift_bytes(again) == file.read_bytes()


def _changed(**changes: object) -> bytes:
    """Return the file with arrays or the header changed."""
    data = shift_bytes(learned())
    arrays = load(data)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["shift"])
    for name, value in changes.items():
        if name in arrays:
            arrays[name] = np.ascontiguousarray(value)
        else:
            header[name] = value
    return save(arrays, {"shift": json.dumps(header)})


@pytest.mark.parametrize(
    "data",
    [
        b"no file of arrays",
        save({"other": np.zeros(3)}),
        _changed(format=2),
        _changed(false_alarm=2.0),
        _changed(false_alarm="often"),
        _changed(sources=[]),
        _changed(table=np.zeros((3, 1), dtype=np.uint8)),
        _changed(table=np.zeros((4, 2), dtype=np.uint8)),
        _changed(step=np.array([np.nan])),
        _changed(centre=np.zeros((1, 2))),
        _changed(group_source=np.full(len(learned().centre), 3)),
        _changed(reference=learned().reference[0][::-1]),
        _changed(counts=np.array([0])),
    ],
)
def test_a_damaged_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "shift.safetensors").write_bytes(data)

    with pytest.raises(CheckpointError):
        read_shift(tmp_path / "shift.safetensors")


def _router(shift: ShiftScore | None) -> Router:
    return attrs.evolve(make_router(host=host_with_fake()), shift=shift)


def test_a_decision_says_what_is_unlike_and_how_much() -> None:
    router = _router(learned())
    (familiar, unlike) = router.route_batch([questions(1, 50)[0], code(1)[0]])

    assert familiar.shift_score is not None
    assert familiar.shift_score < 0.95
    assert not any(SHIFT_NOTICE in notice for notice in familiar.notices)
    assert unlike.shift_score is not None
    assert unlike.shift_score >= 0.95
    assert unlike.notices == (learned().notice,)
    assert "0.95" in unlike.notices[0]
    assert "at most 5 %" in unlike.notices[0]
    assert unlike == router.route(Query(code(1)[0]))


def test_a_checkpoint_keeps_it_and_one_without_it_still_loads(tmp_path: Path) -> None:
    with_it = _router(learned()).save_pretrained(tmp_path / "with")
    without = _router(None).save_pretrained(tmp_path / "without")

    again = Router.from_pretrained(with_it, host=host_with_fake())
    assert again.route(code(1)[0]).notices == (learned().notice,)
    assert "at most 5%" in (with_it / "README.md").read_text(encoding="utf-8")
    manifest = read_checkpoint(with_it).manifest
    assert manifest.shift is not None
    assert (manifest.shift.false_alarm, manifest.shift.sets, manifest.shift.rows) == (0.05, 1, 600)
    old = Router.from_pretrained(without, host=host_with_fake())
    assert old.shift is None
    assert old.route(code(1)[0]).shift_score is None
    assert not list(without.rglob(SHIFT))
    assert "unlike" not in (without / "README.md").read_text(encoding="utf-8")


def test_a_manifest_from_before_is_read(tmp_path: Path) -> None:
    folder = _router(None).save_pretrained(tmp_path / "old")
    data = json.loads((folder / "router.json").read_text(encoding="utf-8"))
    for key in ("shift", "checksum"):
        del data[key]
    del data["calibration"]["recalibration"]

    from routesdk.checkpoint import _checksum

    data["checksum"] = _checksum({**data, "checksum": ""})
    (folder / "router.json").write_text(json.dumps(data), encoding="utf-8")

    assert Router.from_pretrained(folder, host=host_with_fake()).shift is None


def test_the_command_says_of_many_queries_that_they_are_another_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Command(monkeypatch, capsys)
    words = ("objednávka", "zásilka", "faktura", "smlouva", "karta")
    lines = [f"Kde je moje {word} z roku {year}?" for word in words for year in range(2018, 2022)]
    (tmp_path / "foreign.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "usual.txt").write_text("\n".join(USUAL), encoding="utf-8")
    (tmp_path / "same.txt").write_text("Kde je moje objednávka?\n" * 30, encoding="utf-8")

    foreign = run("route", "--file", str(tmp_path / "foreign.txt"))
    usual = run("route", "--file", str(tmp_path / "usual.txt"))

    assert "20 x unlike what this router learned from" in " ".join(foreign.out.split())
    assert "Together they are from another domain" in " ".join(foreign.out.split())
    assert "another domain" not in usual.out
    # Asked again, a question says no more than it did.
    assert "another domain" not in run("route", "--file", str(tmp_path / "same.txt")).out
    assert "shift score" in run("route", "Who wrote Faust?").out


def test_the_default_tells_czech_and_code_and_is_quick_about_it() -> None:
    router = Router.from_pretrained()
    assert router.shift is not None
    assert ALARM_LEVEL == 0.01
    unlike = (
        "Kdo získal v roce 2018 Jerlovovu cenu Oceánografické společnosti?",
        "git rebase -i HEAD~3 && git push --force-with-lease origin main",
    )

    for decision in router.route_batch(unlike):
        assert router.shift.notice in decision.notices
    plain_question = router.route("Who was awarded the Oceanography Society's Jerlov Award in 2018?")
    assert router.shift.notice not in plain_question.notices
    assert sum(source.rows for source in router.shift.sources) > 25_000
