"""The rule `language`, built by its name as routesdk builds it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import routesdk_rule_language
from hypothesis import given
from hypothesis import strategies as st
from routesdk_rule_language.script import SCRIPTS, script_share

from routesdk.errors import ConfigError
from routesdk.protocols import Rule
from routesdk.testing import SCRIPTS as IN_TEN_SCRIPTS
from routesdk.testing import check_rule, make_context, make_host
from routesdk.types import Proposal


def build(**options: object) -> Rule:
    rule = make_host(routesdk_rule_language).rule("language", **{"model": "pro", **options})
    assert isinstance(rule, Rule)
    return rule


@pytest.mark.parametrize(
    "options", [{"languages": ["de", "en"]}, {"scripts": ["Han"], "min_script_share": 0.1}]
)
def test_the_rule_keeps_the_contract(options: dict[str, object]) -> None:
    rule = build(**options, model="large-model")

    check_rule(rule, contexts=[make_context("Wie weit ist der Mond von der Erde entfernt?")])


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Wie weit ist der Mond von der Erde entfernt?"),
        ("en", "What is the capital of France?"),
        ("es", "¿A qué distancia está la Luna de la Tierra?"),
        ("fr", "Quelle est la capitale de la France?"),
        ("ja", "月は地球からどれくらい離れていますか？"),
        ("ar", "كم يبعد القمر عن الأرض؟"),
    ],
)
def test_a_query_in_the_language_goes_to_the_model(language: str, text: str) -> None:
    proposal = build(languages=[language]).propose(make_context(text))

    assert proposal is not None
    assert proposal.model == "pro"
    assert repr(language) in proposal.reason


def test_a_query_in_another_language_is_left_alone() -> None:
    rule = build(languages=["fr", "es"])

    assert rule.propose(make_context("Wie weit ist der Mond von der Erde entfernt?")) is None


@pytest.mark.parametrize("text", ["ok", "12345", "?", "\ud800", "Berlin"])
def test_a_language_that_is_not_sure_counts_as_unknown(text: str) -> None:
    languages = ["en", "de", "fr", "sr", "tk", "ko", "zxx"]

    assert build(languages=languages).propose(make_context(text)) is None


def test_the_caller_sets_how_sure_the_detector_must_be() -> None:
    context = make_context("Who wrote Faust?")

    assert build(languages=["en"], min_confidence=0.9).propose(context) is None
    assert build(languages=["en"], min_confidence=0.05).propose(context) is not None


@pytest.mark.parametrize(
    ("script", "written"),
    [("Hiragana", "Japanese"), *((name, name) for name in IN_TEN_SCRIPTS if name != "Japanese")],
)
def test_a_query_in_the_script_goes_to_the_model(script: str, written: str) -> None:
    chosen = {
        name
        for name, text in IN_TEN_SCRIPTS.items()
        if build(scripts=[script]).propose(make_context(text)) is not None
    }

    assert chosen == {written}


def test_the_reason_states_the_share_of_letters() -> None:
    rule = build(scripts=["Han", "Hiragana"], min_script_share=0.4)

    assert rule.propose(make_context("用 Go 写程序, ok?")) == Proposal(
        "pro", "50% of the query's letters are Han or Hiragana"
    )
    assert rule.propose(make_context("How do you say 月 in Japanese?")) is None


def test_one_of_language_and_script_is_enough() -> None:
    rule = build(languages=["de"], scripts=["Cyrillic"])

    assert rule.propose(make_context("Как далеко Луна от Земли?")) is not None
    assert rule.propose(make_context("Wie weit ist der Mond von der Erde entfernt?")) is not None
    assert rule.propose(make_context("How far is the Moon from the Earth?")) is None


def test_full_and_half_width_letters_keep_their_script() -> None:
    assert script_share("ＡＢＣ", ["Latin"]) == 1.0
    assert script_share("ｶﾀｶﾅ", ["Katakana"]) == 1.0


def test_a_text_without_letters_is_in_no_script() -> None:
    assert script_share("12 + 34 = ?", SCRIPTS) == 0.0


@given(st.text(), st.lists(st.sampled_from(sorted(SCRIPTS)), unique=True))
def test_shares_of_scripts_add_up(text: str, scripts: list[str]) -> None:
    together = script_share(text, scripts)

    assert 0.0 <= together <= 1.0
    assert together == pytest.approx(sum(script_share(text, [script]) for script in scripts))


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "languages"),
        ({"languages": ["german"]}, "languages[0]"),
        ({"languages": ["de", "xx"]}, "languages[1]"),
        ({"languages": "de"}, "languages"),
        ({"scripts": ["Kyrillic"]}, "scripts[0]"),
        ({"languages": ["de"], "min_confidence": 1.5}, "min_confidence"),
        ({"scripts": ["Han"], "min_script_share": 0}, "min_script_share"),
        ({"scripts": ["Han"], "model": ""}, "model"),
        ({"language": "de"}, "language"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**options)

    # Errors of the config come with its place before the key, errors of the factory may not.
    assert caught.value.key.removeprefix("rule.language.") == key


def test_a_misspelt_script_is_met_with_the_right_one() -> None:
    with pytest.raises(ConfigError) as caught:
        build(scripts=["Kyrillic"])

    assert "Cyrillic" in caught.value.fix


def test_finding_the_plugin_does_not_import_the_detector() -> None:
    code = (
        "import sys, routesdk_rule_language as plugin; from routesdk.host import PluginHost;"
        "host = PluginHost([plugin], builtins=False, entry_points=False);"
        "host.rule('language', model='pro', scripts=['Han']);"
        "assert 'py3langid' not in sys.modules, 'imported too early';"
        "host.rule('language', model='pro', languages=['de']);"
        "assert 'py3langid' in sys.modules, 'never imported'"
    )
    source = str(routesdk_rule_language.__path__[0]) + "/.."
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {source!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
