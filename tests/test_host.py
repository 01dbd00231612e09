"""The host: plugins of installed distributions, faults that stay where they are, parts built by name."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from routesdk import hookimpl
from routesdk.errors import (
    ComponentConflictError,
    ConfigError,
    MissingExtraError,
    PluginLoadError,
    UnknownComponentError,
)
from routesdk.host import BLOCKED_ENV, PluginHost
from routesdk.offers import KINDS, PluginReport
from routesdk.protocols import API_VERSION
from routesdk.testing import FakeJudge, FakeObserver, make_context, make_decision, make_host
from routesdk.types import Answer, Decision, Proposal, Query

INSTALLED = Path(__file__).parent / "data" / "installed"
ALL = tuple(sorted(folder.name for folder in INSTALLED.iterdir()))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put tiny distributions where Python finds them, as an installer does."""
    before = set(sys.modules)

    def put(*names: str) -> None:
        for name in names:
            monkeypatch.syspath_prepend(str(INSTALLED / name))

    yield put
    for name in set(sys.modules) - before:
        if name.endswith("_plugin"):
            del sys.modules[name]


def report(host: PluginHost, name: str) -> PluginReport:
    (found,) = [each for each in host.plugins() if each.name == name]
    return found


def test_an_installed_plugin_is_found_and_its_parts_are_built_by_name(install: Callable[..., None]) -> None:
    install("good-plugin")
    host = PluginHost(builtins=False)

    found = report(host, "good")
    assert (found.distribution, found.version, found.errors) == ("good-plugin", "1.2.3", ())
    assert {offered.component.name for offered in found.components} >= {"pin-tag", "forbid", "heavy"}
    rule = host.rule("pin-tag", tag="law", model="pro")
    context = make_context("May I sue?", tags={"law"})
    assert rule.propose(context) == Proposal("pro", "tag 'law' is pinned")  # type: ignore[union-attr]
    assert host.find("rule", "pin-tag").version == "1.2.3"


def test_a_host_without_entry_points_sees_no_installed_plugin(install: Callable[..., None]) -> None:
    install("good-plugin")
    assert "pin-tag" not in PluginHost(entry_points=False).names("rule")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("broken-plugin", "RuntimeError: the wrong day of the week"),
        ("absent-plugin", "ModuleNotFoundError"),
        ("leaving-plugin", "it raised SystemExit(3)"),
    ],
)
def test_a_plugin_that_breaks_on_import_is_reported_and_does_not_stop_the_others(
    install: Callable[..., None], name: str, problem: str
) -> None:
    install(name, "good-plugin")
    host = PluginHost(builtins=False)

    (found,) = [each for each in host.plugins() if each.distribution == name]
    assert problem in found.errors[0]
    assert found.components == ()
    assert host.rule("forbid", model="pro") is not None
    with pytest.raises(PluginLoadError) as caught:
        host.rule("which-may-be-its")
    assert caught.value.distribution == name
    assert problem in str(caught.value)
    assert "rule 'which-may-be-its' cannot be built" in str(caught.value)


def test_a_plugin_that_raises_in_a_hook_loses_that_hook_alone(install: Callable[..., None]) -> None:
    install("raising-plugin", "good-plugin")
    host = PluginHost(builtins=False)

    assert report(host, "raising").errors == ("LookupError: no rules today",)
    assert isinstance(host.judge("still-there"), FakeJudge)
    assert host.rule("forbid", model="pro") is not None
    with pytest.raises(PluginLoadError, match=r"raising-plugin failed: LookupError: no rules today"):
        host.rule("half-offered")
    with pytest.raises(UnknownComponentError):
        host.matrix("half-offered")


def test_a_name_that_two_distributions_offer_is_an_error_that_names_both(
    install: Callable[..., None],
) -> None:
    install("good-plugin", "clashing-plugin")
    host = PluginHost(builtins=False)

    with pytest.raises(ComponentConflictError) as caught:
        host.rule("pin-tag", tag="law", model="pro")
    assert caught.value.distributions == ("clashing-plugin", "good-plugin")
    assert "clashing-plugin and good-plugin" in str(caught.value)
    assert host.rule("silent") is not None
    assert host.names("rule").count("pin-tag") == 1


@pytest.mark.parametrize("blocked", ["clashing", "clashing-plugin"])
def test_blocking_a_plugin_or_its_distribution_ends_a_conflict(
    install: Callable[..., None], blocked: str
) -> None:
    install("good-plugin", "clashing-plugin", "broken-plugin")
    host = PluginHost(builtins=False, blocked={blocked, "broken"})

    assert host.find("rule", "pin-tag").distribution == "good-plugin"
    assert report(host, "clashing").blocked
    assert report(host, "broken").errors == ()
    with pytest.raises(UnknownComponentError):
        host.rule("silent")


def test_plugins_are_blocked_by_environment_variable_too(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("good-plugin", "clashing-plugin")
    monkeypatch.setenv(BLOCKED_ENV, " clashing-plugin ,, keyword")
    host = PluginHost()

    assert host.find("rule", "pin-tag").distribution == "good-plugin"
    assert "keyword" not in host.names("rule")
    assert report(host, "keyword").blocked


def test_a_text_given_as_the_set_of_blocked_names_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"blocked = 'keyword'.*\{'keyword'\}"):
        PluginHost(blocked="keyword")


def test_a_part_of_a_newer_contract_is_left_out_and_reported(install: Callable[..., None]) -> None:
    install("future-plugin")
    host = PluginHost(builtins=False)

    assert host.judge("of-today") is not None
    assert "of-tomorrow" not in host.names("judge")
    (error,) = report(host, "future").errors
    assert "'of-tomorrow' needs contract 99" in error and f"speaks {API_VERSION}" in error
    with pytest.raises(PluginLoadError, match="upgrade routesdk"):
        host.judge("of-tomorrow")


def test_the_plugin_that_surely_offers_a_name_is_blamed_before_one_that_may(
    install: Callable[..., None],
) -> None:
    install("broken-plugin", "future-plugin")
    with pytest.raises(PluginLoadError) as caught:
        PluginHost(builtins=False).judge("of-tomorrow")
    assert caught.value.plugin == "future"


def test_a_hook_that_does_not_exist_is_reported_by_name(install: Callable[..., None]) -> None:
    install("misspelt-plugin")
    host = PluginHost(builtins=False)

    assert report(host, "misspelt").errors == ("it implements routesdk_juges, which is no hook of routesdk",)
    assert host.judge("well-spelt") is not None


def test_two_plugins_of_one_name_are_both_loaded(install: Callable[..., None]) -> None:
    install("good-plugin", "twin-plugin")
    host = PluginHost(builtins=False)

    assert host.find("rule", "pin-tag").plugin == "good"
    assert host.find("judge", "of-the-twin").plugin == "twin-plugin:good"


def test_a_distribution_without_a_name_goes_by_its_entry_point(install: Callable[..., None]) -> None:
    install("nameless-plugin", "good-plugin")
    host = PluginHost(builtins=False, blocked={"good-plugin"})

    found = report(host, "nameless")
    assert (found.distribution, found.version, found.errors) == ("nameless_plugin", "", ())
    assert host.judge("of-nobody") == FakeJudge()


def test_metadata_that_cannot_be_read_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreadable(importlib.metadata.Distribution):
        def read_text(self, filename: str) -> str | None:
            raise KeyError("Name")

        def locate_file(self, path: object) -> Path:  # type: ignore[override]
            raise NotImplementedError

    point = importlib.metadata.EntryPoint("odd", "routesdk.plugins.tag", "routesdk")
    vars(point)["dist"] = Unreadable()
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **given: [point])

    found = report(PluginHost(builtins=False), "odd")

    assert (found.distribution, found.version, found.errors) == ("routesdk.plugins.tag", "", ())


def test_every_broken_plugin_at_once_leaves_the_good_one_working(install: Callable[..., None]) -> None:
    install(*ALL)
    host = PluginHost()

    assert host.rule("forbid", model="pro") is not None
    assert host.rule("tag", tag="law", model="pro") is not None
    assert {each.distribution for each in host.plugins()} >= {*ALL, "nameless_plugin"} - {"nameless-plugin"}


def test_a_missing_package_raises_the_command_that_installs_it(install: Callable[..., None]) -> None:
    install("good-plugin")
    host = PluginHost(builtins=False)

    with pytest.raises(MissingExtraError) as caught:
        host.backend("heavy")
    assert caught.value.install == "pip install heavy-package"
    assert "Run: pip install heavy-package" in str(caught.value)
    with pytest.raises(PluginLoadError, match="a_package_that_nobody_has"):
        host.backend("heavy-without-hint")


def test_observers_that_raise_are_logged_and_fail_nothing(
    install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install("good-plugin", "raising-plugin")
    host = PluginHost()
    decision, query, mine = make_decision(), Query("How far?"), FakeObserver()

    class Raises:
        def routesdk_routed(self, decision: Decision) -> None:
            raise KeyError("mine")

    host.routed(decision, query, [Raises(), object(), mine])

    assert sys.modules["good_plugin"].told == [decision]
    assert (mine.decisions, mine.queries) == ([decision], [query])
    raised = [each.getMessage() for each in caplog.records if "raised in" in each.getMessage()]
    assert raised == [
        "observer 'raising' raised in routesdk_routed",
        "observer 'Raises' raised in routesdk_routed",
    ]


def test_observers_are_told_of_answers_with_the_arguments_that_they_name() -> None:
    told: list[object] = []

    class Listens:
        @hookimpl
        def routesdk_answered(self, answer: Answer) -> None:
            told.append(answer)

    host = make_host(Listens(), builtins=False)
    decision, answer, mine = make_decision(), Answer(text="Far.", model="medium-model"), FakeObserver()

    host.answered(decision, Query("How far?"), answer, [mine])

    assert told == [answer]
    assert mine.answers == [(decision, answer)]
    assert host.watched("routesdk_answered") and not host.watched("routesdk_routed")


def test_observer_objects_are_told_with_the_arguments_that_they_name() -> None:
    told: list[object] = []

    class Earlier:
        def routesdk_routed(self, decision: Decision) -> None:
            told.append(("earlier", decision))

    class Anything:
        def routesdk_routed(self, **given: object) -> None:
            told.append(sorted(given))

    class OfTheClass:
        @staticmethod
        def routesdk_routed(query: Query) -> None:
            told.append(query)

    class Called:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, query: Query, more: int = 1) -> None:
            told.append(more)

    class HoldsACallable:
        routesdk_routed = Called()

    decision, query = make_decision(), Query("How far?")
    for observer in (Earlier(), Anything(), OfTheClass(), HoldsACallable()):
        make_host(builtins=False).routed(decision, query, [observer])

    assert told == [("earlier", decision), ["decision", "query"], query, 1]


def test_building_a_host_reads_every_built_in_plugin_without_an_error() -> None:
    host = make_host()

    assert [each.name for each in host.plugins() if each.errors] == []
    for kind in KINDS:
        assert host.names(kind), f"no built-in offers a {kind}"
