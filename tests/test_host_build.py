"""The host builds parts by name from validated options; order and odd offers change nothing for the rest."""

from __future__ import annotations

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
from routesdk.testing import FakeJudge, make_host


def plugin(name: str, **hooks: Callable[..., object]) -> ModuleType:
    """Make a plugin module of functions; the names of the arguments are the hooks'."""
    module = ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


def judges(*components: object) -> Callable[[], Iterable[object]]:
    return lambda: list(components)


@attrs.frozen
class Limit:
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
class Holder:
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
        return [Component(name=name, factory=FakeJudge, api=2 if name == "b" else 1) for name in names]

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
