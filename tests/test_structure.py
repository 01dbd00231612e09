"""Plain data is read strictly: nothing is coerced, and each mistake is named by key, value and fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

import attrs
import pytest
from attrs.validators import ge, le, matches_re, max_len, min_len
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import BudgetError, ConfigError
from routesdk.structure import plain, structure, unstructure
from routesdk.types import FrozenMapping, Grade, frozen_throughout, usd


@attrs.frozen(kw_only=True)
class Inner:
    name: str
    share: float = attrs.field(default=0.5, validator=[ge(0.0), le(1.0)])


@attrs.frozen(kw_only=True)
class Outer:
    """One field of each type that a config may have."""

    flag: bool = False
    count: int = attrs.field(default=1, validator=ge(1))
    text: str = attrs.field(default="a", validator=[min_len(1), max_len(3)])
    code: str = attrs.field(default="a", validator=matches_re("[a-z]+"))
    amount: Decimal = attrs.field(default=Decimal(1), converter=usd)
    path: Path = Path("a")
    grade: Grade = Grade.CORRECT
    mode: Literal["fast", "slow"] = "fast"
    either: int | str = 1
    maybe: float | None = None
    items: tuple[str, ...] = ()
    pair: tuple[int, str] = (1, "a")
    listed: list[int] = attrs.field(factory=list)
    sequence: Sequence[str] = ()
    unordered: frozenset[str] = frozenset()
    table: Mapping[str, float] = attrs.field(factory=dict)
    inner: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"flag": 1}, "x.flag = 1: is a whole number, not true or false"),
        ({"flag": "true"}, "x.flag = 'true': is a string, not true or false"),
        ({"count": True}, "x.count = True: is true or false, not a whole number"),
        ({"count": 1.0}, "x.count = 1.0: is a number, not a whole number"),
        ({"count": "1"}, "x.count = '1': is a string, not a whole number"),
        ({"count": 0}, "x.count = 0: must be >= 1"),
        ({"text": None}, "x.text = None: is nothing, not a string"),
        ({"text": ""}, "x.text = '': its length must be >= 1"),
        ({"text": "abcd"}, "x.text = 'abcd': its length must be <= 3"),
        ({"code": "A"}, "x.code = 'A': must match regex"),
        ({"amount": "ten"}, "x.amount = 'ten': not a number"),
        ({"amount": -1}, "x.amount = -1: not a finite amount of zero or more"),
        ({"amount": float("nan")}, "x.amount = nan: not a finite amount"),
        ({"amount": True}, "x.amount = True: is true or false, not an amount"),
        ({"path": 3}, "x.path = 3: is a whole number, not a path"),
        ({"grade": "B"}, "x.grade = 'B': 'B' is not a valid Grade"),
        ({"mode": "slwo"}, "x.mode = 'slwo': must be one of 'fast', 'slow'"),
        ({"either": 2.5}, "x.either = 2.5: .* not part of int | str"),
        ({"maybe": "0.5"}, "x.maybe = '0.5': is a string, not a number"),
        ({"maybe": float("nan")}, "x.maybe = nan: is not a number"),
        ({"items": "moon"}, "x.items = 'moon': is a string, not a list"),
        ({"items": {"a": 1}}, "x.items = .*: is a table, not a list"),
        ({"items": ["a", 2]}, r"x.items\[1\] = 2: is a whole number, not a string"),
        ({"pair": [1]}, r"x.pair = \[1\]: has 1 items, not 2"),
        ({"pair": ["a", 1]}, r"x.pair = .*: is a string, not a whole number"),
        ({"listed": "12"}, "x.listed = '12': is a string, not a list"),
        ({"sequence": "moon"}, "x.sequence = 'moon': is a string, not a list"),
        ({"unordered": "moon"}, "x.unordered = 'moon': is a string, not a list"),
        ({"table": "x"}, "x.table = 'x': is a string, not a table of keys"),
        ({"table": [1]}, r"x.table = \[1\]: is a list, not a table of keys"),
        ({"table": {"a": "b"}}, "x.table.a = 'b': is a string, not a number"),
        ({"inner": {"name": "a"}}, "x.inner = .*: is a table, not a list"),
        ({"inner": [{"name": "a"}, "b"]}, r"x.inner\[1\] = 'b': is a string, not a table of keys"),
        ({"inner": [{}]}, r"x.inner\[0\].name = nothing: is required. Add it."),
        ({"inner": [{"nmae": "a"}]}, r"x.inner\[0\].nmae = 'a': no such key. Did you mean 'name'\?"),
        ({"inner": [{"name": "a", "share": 2}]}, r"x.inner\[0\].share = 2: must be <= 1.0"),
        ({"cuont": 1}, r"x.cuont = 1: no such key. Did you mean 'count'\?"),
        ({"qqqq": 1}, "x.qqqq = 1: no such key. Known keys: flag, count, "),
        ({1: 2}, "x = {1: 2}: has the key 1, which is not a string"),
        ([], r"x = \[\]: is a list, not a table of keys"),
        ("text", "x = 'text': is a string, not a table of keys"),
        (None, "x = None: is nothing, not a table of keys"),
    ],
    ids=str,
)
def test_a_mistake_is_named_by_key_value_and_fix(data: object, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        structure(data, Outer, where="x", source="a.toml")

    assert caught.value.source == "a.toml"
    assert caught.value.fix
    assert str(caught.value).startswith("a.toml: x")


def test_a_long_value_is_shortened_in_the_error() -> None:
    with pytest.raises(ConfigError) as caught:
        structure({"count": "a" * 10_000}, Outer)

    assert len(str(caught.value)) < 200


def test_a_whole_number_may_stand_where_a_number_is_asked_for() -> None:
    read = structure({"maybe": 1, "table": {"a": 2}, "amount": 0.1, "items": ["a"], "pair": [2, "b"]}, Outer)

    assert (read.maybe, read.table, read.amount) == (1.0, {"a": 2.0}, Decimal("0.1"))
    assert (read.items, read.pair) == (("a",), (2, "b"))
    assert type(read.maybe) is float


@attrs.frozen
class Raises:
    """A class whose own code raises."""

    what: str

    def __attrs_post_init__(self) -> None:
        if self.what == "import":
            __import__("a_package_that_nobody_has")
        if self.what == "budget":
            raise BudgetError("No purse", "Open one.")
        raise ZeroDivisionError("a bug")


@attrs.frozen
class Unreadable:
    when: complex


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (lambda: structure({"what": "import"}, Raises), ImportError),
        (lambda: structure({"what": "budget"}, Raises), BudgetError),
        (lambda: structure({"what": "bug"}, Raises), ZeroDivisionError),
        (lambda: structure({"when": 1}, Unreadable), Exception),
    ],
)
def test_a_fault_of_the_class_is_not_blamed_on_the_data(
    read: Callable[[], object], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        read()
    assert not isinstance(caught.value, ConfigError)


_inners = st.builds(Inner, name=st.text(), share=st.floats(0, 1))
_outers = st.builds(
    Outer,
    flag=st.booleans(),
    count=st.integers(1),
    text=st.text(min_size=1, max_size=3),
    code=st.from_regex("[a-z]+", fullmatch=True),
    amount=st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=9),
    path=st.just(Path("a/b")),
    grade=st.sampled_from(Grade),
    mode=st.sampled_from(["fast", "slow"]),
    either=st.integers() | st.text(),
    maybe=st.none() | st.floats(allow_nan=False),
    items=st.lists(st.text()).map(tuple),
    pair=st.tuples(st.integers(), st.text()),
    listed=st.lists(st.integers()),
    sequence=st.lists(st.text()).map(tuple),
    unordered=st.frozensets(st.text()),
    table=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    inner=st.lists(_inners, max_size=2).map(tuple),
)


@given(_outers)
def test_what_is_written_is_read_back_equal(value: Outer) -> None:
    assert structure(unstructure(value), Outer) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.sampled_from([field.name for field in attrs.fields(Outer)]),
)
def test_any_value_of_any_key_is_read_or_named_in_an_error(value: object, key: str) -> None:
    try:
        read = structure({key: value}, Outer)
    except ConfigError as error:
        assert error.key.startswith(key)
        assert error.problem and error.fix
    else:
        assert isinstance(read, Outer)


def test_read_only_data_becomes_plain_at_any_depth() -> None:
    data = {"a": [{"b": (1, 2)}], "c": {}}

    assert plain(frozen_throughout(data)) == {"a": [{"b": [1, 2]}], "c": {}}
    assert plain(FrozenMapping()) == {}
