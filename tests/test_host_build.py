"""The host builds parts by name from validated options; order and odd offers change nothing for the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from types import ModuleType

import attrs
import pytest
from attrs.validators import ge
from hypothesis import given
from hypothesis import strategies as st

from routesdk import hookimpl
from routesdk.errors import (
    ConfigError,
    MissingExtraError,
    PluginLoadError,
    RouteSDKError,
    UnknownComponentError,
)
from routesdk.host import PluginHost, attempt
from routesdk.offers import KINDS
from routesdk.protocols import Component
from routesdk.testing import FakeJudge, FakeObserver, make_decision, make_host
from routesdk.types import Query, RouteContext


def plugin(name: str, **hooks: Callable[..., object]) -> ModuleType:
    """Make a plugin module of functions; the names of the arguments are the hooks'."""
    module = ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


def judges(*components: object) -> Callable[[], Iterable[object]]:
    return lambda: list(components)


class Part:
    """A part of every kind: it has any method."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return print


@attrs.frozen
class Limit(Part):
    words: int = attrs.field(validator=ge(1))


@attrs.frozen
class NeedsAPackage:
    def __attrs_post_init__(self) -> None:
        __import__("a_package_that_nobody_has")


@attrs.frozen
class HasABug:
    def __attrs_post_init__(self) -> None:
        raise ZeroDivisionError("division by zero")


@attrs.frozen
class Holder(Part):
    limit: Limit


def _bare() -> FakeJudge:
    return FakeJudge()


def _refuses() -> None:
    raise ConfigError("x", "1", "too few", "Give 2.")


def _fails(config: Limit) -> None:
    raise OSError("no such device")


PARTS = plugin(
    "parts",
    routesdk_judges=judges(
        Component(name="limit", factory=Limit),
        Component(name="plain", factory=Holder, config=Limit),
        Component(name="bare", factory=_bare),
        Component(name="needs", factory=NeedsAPackage, install="pip install needed"),
        Component(name="bug", factory=HasABug),
        Component(name="refuses", factory=_refuses),
        Component(name="fails", factory=_fails, config=Limit),
    ),
)


def test_a_factory_gets_its_validated_config_or_is_its_own_config() -> None:
    host = make_host(PARTS, builtins=False)

    assert host.build("judge", "limit", {"words": 3}) == Limit(3)
    assert host.build("judge", "plain", {"words": 3}) == Holder(Limit(3))
    assert host.build("judge", "bare") == FakeJudge()


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        ("limit", {"words": 0}, ConfigError, "judge.limit.words = 0: must be >= 1"),
        ("limit", {"word": 1}, ConfigError, r"judge.limit.word = 1: no such key. Did you mean 'words'\?"),
        ("plain", {"words": "3"}, ConfigError, "judge.plain.words = '3': is a string, not a whole number"),
        ("bare", {"words": 3}, ConfigError, "judge.bare.words = 3: no such key.*takes no options"),
        ("refuses", {}, ConfigError, "x = 1: too few. Give 2."),
        ("needs", {}, MissingExtraError, "pip install needed"),
        ("bug", {}, PluginLoadError, "ZeroDivisionError: division by zero"),
        ("fails", {"words": 3}, PluginLoadError, "judge 'fails' cannot be built.*OSError: no such device"),
        ("limt", {}, UnknownComponentError, r"No judge is named 'limt'. Did you mean 'limit'\?"),
        ("qqq", {}, UnknownComponentError, "Known: bare, bug, "),
    ],
)
def test_what_cannot_be_built_says_why(
    name: str, options: dict[str, object], error: type[RouteSDKError], text: str
) -> None:
    with pytest.raises(error, match=text):
        make_host(PARTS, builtins=False).judge(name, **options)


def test_a_kind_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnknownComponentError, match=r"Did you mean 'judge'\?"):
        make_host(builtins=False).build("jugde", "x")


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        (lambda: None, "TypeError"),
        (judges("limit"), "it offers str 'limit' as a judge, not a Component"),
        (judges(FakeJudge), "it offers type"),
        (lambda: [Component(name="Not Kebab", factory=FakeJudge)], "not in kebab-case"),
        (lambda: [Component(name="x", factory=3)], "int cannot be called"),  # type: ignore[arg-type]
        (lambda: [Component(name="x", factory=FakeJudge, config=dict)], "not an attrs class"),
        (lambda: [Component(name="x", factory=FakeJudge, api="2")], "not a version"),  # type: ignore[arg-type]
        (lambda missing: [], "PluginValidationError"),
    ],
)
def test_an_offer_that_is_none_is_reported_with_its_plugin(hook: Callable[..., object], problem: str) -> None:
    host = make_host(plugin("odd", routesdk_judges=hook), PARTS, builtins=False)

    assert problem in host.plugins()[0].errors[0]
    assert host.judge("bare") == FakeJudge()


@st.composite
def _plugins(draw: st.DrawFn) -> list[ModuleType]:
    hooks = st.dictionaries(
        st.sampled_from(sorted(KINDS.values())),
        st.one_of(st.none(), st.lists(st.sampled_from(["a", "b", "c-d"]), max_size=3)),
        max_size=3,
    )
    made = []
    for index, offers in enumerate(draw(st.lists(hooks, max_size=5))):
        functions = {hook: _offer(names) for hook, names in offers.items()}
        made.append(plugin(f"plugin-{index}", **functions))
    return made


def _offer(names: list[str] | None) -> Callable[[], list[Component[object]]]:
    def offer() -> list[Component[object]]:
        if names is None:
            raise LookupError("nothing today")
        return [Component(name=name, factory=Part, api=2 if name == "b" else 1) for name in names]

    return offer


def _outcome(host: PluginHost, kind: str, name: str) -> object:
    part, error = attempt(host.build, kind, name)
    # Which of several broken plugins is named first is open; that one of them is, is not.
    return type(error) if isinstance(error, PluginLoadError) else (error and str(error)) or type(part)


@given(plugins=_plugins(), data=st.data())
def test_any_set_of_plugins_in_any_order_gives_the_same_parts(
    plugins: list[ModuleType], data: st.DataObject
) -> None:
    one = make_host(*plugins, builtins=False)
    other = make_host(*data.draw(st.permutations(plugins)), builtins=False)

    for kind in KINDS:
        assert one.names(kind) == other.names(kind)
        for name in ("a", "b", "c-d", "unheard-of"):
            assert _outcome(one, kind, name) == _outcome(other, kind, name)
    assert {each.name: each for each in one.plugins()} == {each.name: each for each in other.plugins()}


def test_a_plugin_with_one_hook_that_cannot_be_called_offers_nothing() -> None:
    odd = plugin(
        "odd",
        routesdk_judges=judges(Component(name="x", factory=FakeJudge)),
        routesdk_routed=lambda decision, unheard_of: None,
    )
    host = make_host(odd, builtins=False)

    assert "unheard_of" in host.plugins()[0].errors[0]
    assert host.names("judge") == ()
    assert not host.watched("routesdk_routed")


# Plugins that break more than their own part.


class UnprintableError(LookupError):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class LeavingError(UnprintableError):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


def _raising(error: BaseException) -> Callable[..., object]:
    def raises() -> object:
        raise error

    return raises


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnprintableError(), "it raised UnprintableError, whose text cannot be read"),
        (LeavingError(), "it raised LeavingError, whose text cannot be read"),
        (SystemExit(3), "it raised SystemExit(3)"),
        (SystemExit("\ud800"), r"it raised SystemExit('\ud800')"),
    ],
)
def test_what_would_end_the_process_stays_with_its_plugin(error: BaseException, text: str) -> None:
    class OnImport:
        @property
        def routesdk_judges(self) -> object:
            raise error

    odd = plugin("odd", routesdk_judges=_raising(error))
    factory = plugin("factory", routesdk_judges=judges(Component(name="odd", factory=_raising(error))))
    host = make_host(OnImport(), odd, factory, PARTS, builtins=False)

    on_import, hook, *_ = host.plugins()
    # Some releases of pluggy look at properties when they register a plugin, and some do not.
    assert on_import.errors in ((f"RuntimeError: {text}",), ())
    assert hook.errors == (f"RuntimeError: {text}",)
    assert host.judge("bare") == FakeJudge()
    with pytest.raises(PluginLoadError) as caught:
        host.judge("odd")
    assert caught.value.problem == f"RuntimeError: {text}"
    assert caught.value.__cause__ is not None and caught.value.__cause__.__cause__ is error


def test_an_offered_object_that_cannot_be_shown_harms_no_other_plugin() -> None:
    odd = plugin("odd", routesdk_judges=judges(UnprintableError(), Component(name="good", factory=FakeJudge)))
    host = make_host(odd, PARTS, builtins=False)

    assert host.plugins()[0].errors == ("it offers UnprintableError object as a judge, not a Component",)
    assert host.judge("good") == host.judge("bare")


def test_an_observer_that_wants_to_end_the_process_does_not() -> None:
    class Leaves:
        def __init__(self) -> None:
            self.routesdk_routed = _raising(SystemExit(3))

    class CannotBeAsked:
        @property
        def routesdk_routed(self) -> object:
            raise SystemExit(4)

    mine = FakeObserver()
    leaving = plugin("leaving", routesdk_routed=_raising(SystemExit(5)))
    host = make_host(leaving, builtins=False)

    host.routed(make_decision(), Query("Who?"), [Leaves(), CannotBeAsked(), mine])

    assert len(mine.decisions) == 1


# Parts that are not of their kind.


class Typo:
    def propse(self, context: RouteContext) -> None:
        return None


class Half:
    async def generate(self, request: object) -> None:
        return None


class NotYet:
    generate = None

    def stream(self, request: object) -> None:
        return None


@pytest.mark.parametrize(
    ("hook", "factory", "problem"),
    [
        ("routesdk_rules", Typo, "it built Typo, which lacks `propose` or `refuse`"),
        ("routesdk_rules", lambda: None, "it built NoneType, which lacks `propose` or `refuse`"),
        ("routesdk_backends", Half, "it built Half, which lacks `stream`"),
        ("routesdk_backends", NotYet, "it built NotYet, which lacks `generate`"),
        ("routesdk_judges", lambda: FakeJudge, "it built the class FakeJudge, not an object of it"),
        ("routesdk_observers", lambda: FakeObserver, "it built the class FakeObserver, not an object of it"),
        ("routesdk_observers", Typo, "which lacks `routesdk_routed` or `routesdk_answered`"),
        ("routesdk_matrices", Typo, "which lacks `policies`, `tiers`, `policy`, `reason`"),
        ("routesdk_spend", Typo, "which lacks `snapshot`, `reserve`, `settle`"),
    ],
)
def test_a_part_that_is_not_of_its_kind_is_refused_when_it_is_built(
    hook: str, factory: Callable[..., object], problem: str
) -> None:
    (kind,) = [kind for kind, offering in KINDS.items() if offering == hook]
    odd = plugin("odd", **{hook: judges(Component(name="odd", factory=factory))})

    with pytest.raises(PluginLoadError) as caught:
        make_host(odd, builtins=False).build(kind, "odd")

    assert problem in caught.value.problem


def test_every_protocol_s_methods_are_asked_for() -> None:
    for kind, hook in KINDS.items():
        odd = plugin("odd", **{hook: judges(Component(name="odd", factory=object))})
        with pytest.raises(PluginLoadError, match="it built object, which lacks `"):
            make_host(odd, builtins=False).build(kind, "odd")


@pytest.mark.parametrize("name", ["routesdk_routed", "routesdk_answered"])
def test_an_observer_needs_one_method_of_two(name: str) -> None:
    made = type("Listens", (), {name: lambda self, decision: None})
    part = plugin("part", routesdk_observers=judges(Component(name="listens", factory=made)))

    assert make_host(part, builtins=False).observer("listens") is not None


# What is said of a name that nobody offers.


def _broken_plugin() -> ModuleType:
    return plugin("broken", routesdk_judges=_raising(LookupError("not today")))


def test_a_misspelt_name_is_corrected_whatever_else_is_broken() -> None:
    host = make_host(PARTS, _broken_plugin(), plugin("blocked"), builtins=False, blocked={"blocked"})

    with pytest.raises(UnknownComponentError) as caught:
        host.judge("limt")

    assert str(caught.value) == "No judge is named 'limt'. Did you mean 'limit'?"
    with pytest.raises(PluginLoadError, match="not today"):
        host.judge("nothing-like-it")


def test_a_part_of_a_blocked_plugin_is_missed_with_a_word_on_the_block() -> None:
    names = plugin("limits", routesdk_judges=judges(Component(name="max", factory=FakeJudge)))
    host = make_host(PARTS, names, builtins=False, blocked={"limits"})

    with pytest.raises(UnknownComponentError, match="Blocked, and so not asked: limits") as caught:
        host.judge("max")
    assert caught.value.blocked == ("limits",)
    # Its name is close to one that there is, and yet the blocked plugin is what is meant.
    with pytest.raises(UnknownComponentError, match="Blocked, and so not asked: limits"):
        make_host(PARTS, _broken_plugin(), names, builtins=False, blocked={"limits"}).judge("limits")


@pytest.mark.parametrize("blocked", ["two_words", "Two-Words", "two.words"])
def test_a_plugin_is_blocked_however_its_name_is_written(
    blocked: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "routesdk"):
        host = make_host(plugin("two-words"), builtins=False, blocked={blocked})

    assert host.plugins()[0].blocked
    assert caplog.messages == []


def test_a_block_that_matches_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "routesdk"):
        make_host(PARTS, builtins=False, blocked={"prats", "parts"})

    assert caplog.messages == ["'prats' is blocked, and no plugin or distribution has that name"]


def test_every_fault_of_a_hook_is_kept() -> None:
    odd = plugin("odd", routesdk_judges=judges("one", "two"), routesdk_rules=_raising(LookupError("three")))
    host = make_host(odd, builtins=False)

    assert host.plugins()[0].errors == (
        "it offers str 'one' as a judge, not a Component",
        "it offers str 'two' as a judge, not a Component",
        "LookupError: three",
    )
    with pytest.raises(PluginLoadError, match="'one' as a judge, not a Component; it offers str 'two'"):
        host.judge("one")
