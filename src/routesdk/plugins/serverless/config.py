"""What is asked of Modal: a machine, its limits, its secrets and volumes, by name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

import attrs
from attrs.validators import and_, ge, le, matches_re

from routesdk.errors import ConfigError
from routesdk.structure import structure

ENV_PREFIX = "ROUTESDK_MODAL_"
"""Environment variables of the app are this and a field's name in capitals: `ROUTESDK_MODAL_GPU`."""

_DAY_S = 24 * 60 * 60
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# It becomes a folder's name: `.` and `..` are folders that others are in.
_ROUTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?==[A-Za-z0-9.+!_-]+")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


_Check = Callable[[object, "attrs.Attribute[tuple[str, ...]]", tuple[str, ...]], None]


def _each(pattern: re.Pattern[str], form: str) -> _Check:
    def check(_: object, attribute: attrs.Attribute[tuple[str, ...]], values: tuple[str, ...]) -> None:
        for value in values:
            if not pattern.fullmatch(value):
                problem = f"is not {form}"
                raise ConfigError(attribute.name, repr(value), problem, "Write each as its own string.")

    return check


@attrs.frozen(kw_only=True)
class ModalConfig:
    """What the functions on Modal run on, and what they may use.

    Attributes:
        gpu: GPU of training, batch routing and the executor's stages, as Modal names it, such as `L4`, `A10`,
            `H100` or `H100:2`; empty for a machine without one.
        endpoint_gpu: GPU of the web endpoint; empty for none: the bundled router needs none.
        timeout_s: Seconds that one try of a shard may take; one that is cut off is tried again, and goes on
            from what it had kept. A day at the most, which is Modal's own limit.
        retries: How often a shard is tried again whose container crashed or ran out of time.
            A machine that Modal takes back does not count: Modal starts its shard anew by itself.
        containers: Shards that run at once.
        secrets: Names of Modal secrets, whose variables the functions then have: keys of providers, tokens.
        app: Name of the app.
        data_volume: Volume of shards and their outputs; it is made where there is none.
        checkpoint_volume: Volume of trained routers; it is made where there is none.
        region: Region of the machines, as Modal names it; empty for any.
        packages: Further packages of the image, each pinned: `NAME==VERSION`. A plugin that a stage needs.
        sources: Further modules of this machine that go along, such as one with a stage of one's own.
        checkpoint: What the endpoint routes with: a bundled router, a folder on the checkpoint volume,
            or a Hub id.
        publish: Name that a trained router gets on the checkpoint volume, where it replaces one of that name;
            empty for one that is made of the job's name and content.
        protected: Whether the endpoint wants a proxy token of the workspace; without, anyone may call it.
        explain: Whether the endpoint lets a policy model write its reasons, which takes far longer than a
            decision; without, a request for them is refused.
        resume: Whether to fetch what an earlier call with the same shard finished, and go on with what it
            began; without, every shard is run from its start.
    """

    gpu: str = attrs.field(default="", validator=matches_re(r"([A-Za-z0-9+!-]+(:[1-9])?)?"))
    endpoint_gpu: str = attrs.field(default="", validator=matches_re(r"([A-Za-z0-9+!-]+(:[1-9])?)?"))
    timeout_s: int = attrs.field(default=4 * 60 * 60, validator=and_(ge(1), le(_DAY_S)))
    retries: int = attrs.field(default=3, validator=and_(ge(0), le(10)))
    containers: int = attrs.field(default=8, validator=and_(ge(1), le(500)))
    secrets: tuple[str, ...] = attrs.field(default=(), validator=_each(_NAME, "a name of Modal"))
    app: str = attrs.field(default="routesdk", validator=matches_re(_NAME))
    data_volume: str = attrs.field(default="routesdk-data", validator=matches_re(_NAME))
    checkpoint_volume: str = attrs.field(default="routesdk-checkpoints", validator=matches_re(_NAME))
    region: str = ""
    packages: tuple[str, ...] = attrs.field(default=(), validator=_each(_PINNED, "of the form NAME==VERSION"))
    sources: tuple[str, ...] = attrs.field(default=(), validator=_each(_MODULE, "the name of a module"))
    checkpoint: str = "default"
    publish: str = attrs.field(default="", validator=matches_re(rf"({_ROUTER.pattern})?"))
    protected: bool = True
    explain: bool = False
    resume: bool = True

    def __attrs_post_init__(self) -> None:
        if self.data_volume == self.checkpoint_volume:
            problem = "is the checkpoint volume too"
            raise ConfigError("data_volume", repr(self.data_volume), problem, "Name two volumes.")
        if self.publish:
            from routesdk.pretrained import bundled_names

            if self.publish in bundled_names():
                problem = "is a bundled router, which that name would go on to mean"
                raise ConfigError("publish", repr(self.publish), problem, "Give it a name of its own.")


def config_of_environment(environment: Mapping[str, str] | None = None) -> ModalConfig:
    """Read the app's settings from variables such as `ROUTESDK_MODAL_GPU`; lists are divided by commas.

    Args:
        environment: The variables; None for the process's own.

    Raises:
        ConfigError: There is no such setting, or its value cannot be used.
    """
    given: dict[str, object] = {}
    fields = {field.name: field.default for field in attrs.fields(ModalConfig)}
    for variable, text in (os.environ if environment is None else environment).items():
        if not variable.startswith(ENV_PREFIX):
            continue
        name = variable.removeprefix(ENV_PREFIX).lower()
        if name not in fields:
            known = ", ".join(f"{ENV_PREFIX}{field.upper()}" for field in fields)
            raise ConfigError(variable, repr(text), "no such setting", f"Known: {known}.")
        given[name] = _read(variable, text, fields[name])
    return structure(given, ModalConfig, where="modal")


def _read(variable: str, text: str, default: object) -> object:
    """Turn a variable's text into a value of the same type as the default."""
    if isinstance(default, bool):
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ConfigError(variable, repr(text), "is neither true nor false", "Write true or false.")
        return text.lower() in {"true", "1"}
    if isinstance(default, int):
        if not text.isascii() or not text.isdigit():
            raise ConfigError(variable, repr(text), "is no whole number", "Write digits alone.")
        return int(text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
