"""Every hook has its own heading in the reference, with its exact signature, and a contract check."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from routesdk import hookspecs, testing
from routesdk.offers import KINDS

OBSERVING = ("routesdk_routed", "routesdk_answered")
HOOKS: dict[str, Callable[..., object]] = {
    name: function
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if hasattr(function, "routesdk_spec")
}


@pytest.fixture(scope="module")
def reference(repository: Path) -> str:
    page = repository / "docs" / "reference" / "hooks.md"
    assert page.is_file(), "docs/reference/hooks.md is missing: hooks that nobody can look up are no contract"
    return page.read_text(encoding="utf-8")


def section(reference: str, hook: str) -> str:
    """What stands between the hook's heading and the next one."""
    found = re.search(rf"^## `{hook}`\n(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/hooks.md lacks the heading '## `{hook}`'"
    return found[1]


def signature(hook: str) -> str:
    """The hook's first line as it stands in hookspecs.py."""
    found = re.search(rf"^def {hook}\(.*:$", inspect.getsource(hookspecs), re.MULTILINE)
    assert found
    return found[0]


def test_the_hooks_are_those_of_the_kinds_and_the_two_of_observers() -> None:
    assert set(HOOKS) == {*KINDS.values(), *OBSERVING}


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_a_hook_has_a_heading_with_its_exact_signature(reference: str, hook: str) -> None:
    block = re.search(r"```python\n(.*?)```", section(reference, hook), re.DOTALL)

    assert block, f"'## `{hook}`' is followed by no python block"
    assert signature(hook) in block[1].splitlines(), f"the block of {hook} lacks the line: {signature(hook)}"


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_a_hooks_documentation_names_its_contract_check(reference: str, hook: str) -> None:
    kinds = {offering: kind for kind, offering in KINDS.items()}
    check = f"check_{kinds.get(hook, 'observer').replace(' ', '_')}"

    assert f"{check}(" in section(reference, hook)


def test_the_reference_describes_no_hook_that_does_not_exist(reference: str) -> None:
    described = set(re.findall(r"^## `(routesdk_\w+)`", reference, re.MULTILINE))

    assert described <= set(HOOKS)


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_a_hook_explains_itself_where_it_is_specified(hook: str) -> None:
    text = inspect.getdoc(HOOKS[hook])

    assert text and text.splitlines()[0].endswith(".")
    if hook not in OBSERVING:
        assert "Returns:" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_part_has_a_contract_check(kind: str) -> None:
    check = getattr(testing, f"check_{kind.replace(' ', '_')}")

    assert "Raises:\n    AssertionError" in (inspect.getdoc(check) or "")
    assert f"check_{kind.replace(' ', '_')}" in testing.__all__
