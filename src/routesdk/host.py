"""PluginHost: finds plugins, builds components by name, keeps broken ones from harming the rest."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import ModuleType
from typing import TypeVar, cast

import attrs
import pluggy

from routesdk import hookspecs
from routesdk.errors import (
    ComponentConflictError,
    ConfigError,
    MissingExtraError,
    PluginLoadError,
    RouteSDKError,
    UnknownComponentError,
)
from routesdk.offers import KINDS, Offered, PluginReport, accepted, misfit, names_argument, plain_name
from routesdk.protocols import (
    API_VERSION,
    Analyst,
    Backend,
    Benchmark,
    Component,
    Constraint,
    Executor,
    Judge,
    Matrix,
    Observer,
    PolicyModel,
    Rule,
    SpendSource,
    Trainer,
)
from routesdk.structure import structure
from routesdk.types import Answer, Decision, Query

logger = logging.getLogger("routesdk")

T = TypeVar("T")

BUILTINS = tuple(
    f"routesdk.plugins.{name}"
    for name in (
        "cheapest_correct",
        "cost_budget",
        "decision_log",
        "encoder",
        "generative",
        "google",
        "heuristic",
        "jsonl",
        "keyword",
        "length",
        "lexical",
        "linear",
        "lite_llm",
        "local",
        "local_model",
        "math",
        "model_analyst",
        "model_judge",
        "nine_cell",
        "openai_compatible",
        "recorded",
        "serverless",
        "simpleqa",
        "spend",
        "table",
        "tag",
    )
)
"""Dotted names of the built-in plugins: loaded like an outsider's, but without an entry point."""

BLOCKED_ENV = "ROUTESDK_BLOCKED_PLUGINS"
"""Environment variable that names plugins to leave out, separated by commas."""


@attrs.define
class _Loaded:
    """A plugin as the host found it."""

    name: str
    distribution: str
    version: str
    module: object | None = None
    blocked: bool = False
    # What went wrong, each under its hook's name, `hook:part`, or "" for the plugin as a whole.
    errors: list[tuple[str, str]] = attrs.field(factory=list)
    offered: list[Offered] = attrs.field(factory=list)

    def goes_by(self, name: str) -> bool:
        """Tell whether the plugin or its distribution has this name, however it is written."""
        return plain_name(name) in {plain_name(self.name), plain_name(self.distribution)}


class PluginHost:
    """Finds plugins and builds what they offer.

    There is no global host: one is passed to whoever needs it. Building a
    host imports plugins, but starts nothing.

    Args:
        plugins: Modules or objects to register beside the installed ones.
        builtins: Whether to load the built-in plugins.
        entry_points: Whether to load plugins of installed distributions.
        blocked: Names of plugins, or of distributions, to leave out; those
            in `ROUTESDK_BLOCKED_PLUGINS` are added. Case does not matter, nor
            whether a hyphen or an underscore is written.
    """

    def __init__(
        self,
        plugins: Iterable[object] = (),
        *,
        builtins: bool = True,
        entry_points: bool = True,
        blocked: Iterable[str] = (),
    ) -> None:
        if isinstance(blocked, str):
            # A string is an iterable of names, too: of one letter each.
            raise ConfigError("blocked", repr(blocked), "a string, not a set", f"Give {{{blocked!r}}}.")
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        named = frozenset(blocked)
        from_env = {name.strip() for name in os.environ.get(BLOCKED_ENV, "").split(",") if name.strip()}
        self._blocked = named | from_env
        self._plugins: list[_Loaded] = []
        if builtins:
            for dotted in BUILTINS:
                self._load_builtin(dotted)
        if entry_points:
            for point in sorted(
                importlib.metadata.entry_points(group=hookspecs.PROJECT),
                key=lambda point: (point.name, point.value),
            ):
                self._load_entry_point(point)
        for plugin in plugins:
            self._load_object(plugin)
        self._offers: dict[str, list[Offered]] = {kind: [] for kind in KINDS}
        for loaded in self._plugins:
            self._collect(loaded)
        # The variable is for every host, also for those that look for no installed plugins.
        for name in sorted(self._blocked if builtins and entry_points else named):
            if not any(loaded.goes_by(name) for loaded in self._plugins):
                logger.warning("%r is blocked, and no plugin or distribution has that name", name)

    def build(self, kind: str, name: str, options: Mapping[str, object] | None = None) -> object:
        """Build a component by name from plain, validated options.

        Args:
            kind: One of `KINDS`.
            name: The component's name.
            options: What its config takes.

        Raises:
            UnknownComponentError: No loaded plugin offers the name.
            ComponentConflictError: More than one does.
            PluginLoadError: The plugin that offers it, or may offer it, is broken.
            MissingExtraError: A package that it needs is not installed.
            ConfigError: An option is unknown, of the wrong type or out of range.
        """
        offered = self.find(kind, name)
        part, error = attempt(_construct, offered, dict(options or {}), self)
        if error is None:
            return part
        if isinstance(error, RouteSDKError):
            raise error
        if isinstance(error, ImportError) and offered.component.install:
            raise MissingExtraError(name, offered.component.install, str(error)) from error
        raise _broken(offered, _said(error)) from error

    def find(self, kind: str, name: str) -> Offered:
        """Return the one component of this kind and name, with its owner.

        Raises:
            UnknownComponentError: No loaded plugin offers the name.
            ComponentConflictError: More than one does.
            PluginLoadError: The plugin that offers it, or may offer it, is broken.
        """
        if kind not in KINDS:
            raise UnknownComponentError("kind of component", kind, tuple(KINDS))
        found = [offered for offered in self._offers[kind] if offered.component.name == name]
        if len(found) > 1:
            raise ComponentConflictError(kind, name, tuple(sorted(offered.distribution for offered in found)))
        if found:
            return found[0]
        raise self._missing(kind, name)

    def _missing(self, kind: str, name: str) -> RouteSDKError:
        """Return why no part of this name was found: the surest reason that there is."""
        # A part of that name was left out: its plugin surely offers it.
        error = self._blame(f"{KINDS[kind]}:{name}", kind, name)
        if error is not None:
            return error
        known = self.names(kind)
        left_out = [loaded for loaded in self._plugins if loaded.blocked]
        by_name = tuple(loaded.name for loaded in left_out if loaded.goes_by(name))
        # A misspelt name is the likeliest mistake by far: broken plugins are reported elsewhere.
        if by_name or difflib.get_close_matches(name, known, n=1):
            return UnknownComponentError(kind, name, known, by_name)
        # A plugin that failed in this hook, or as a whole, may well be the one that offers the name.
        error = self._blame(KINDS[kind], kind, name) or self._blame("", kind, name)
        return error or UnknownComponentError(kind, name, known, tuple(loaded.name for loaded in left_out))

    def _blame(self, about: str, kind: str, name: str) -> PluginLoadError | None:
        for loaded in self._plugins:
            problems = [problem for place, problem in loaded.errors if place == about]
            if problems:
                wanted = f"{kind} {name!r}"
                return PluginLoadError(loaded.name, loaded.distribution, "; ".join(problems), wanted)
        return None

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names offered for a kind, sorted."""
        return tuple(sorted({offered.component.name for offered in self._offers[kind]}))

    def plugins(self) -> tuple[PluginReport, ...]:
        """Report every plugin that was found: what it offers, or what is wrong with it."""
        return tuple(
            PluginReport(
                name=loaded.name,
                distribution=loaded.distribution,
                version=loaded.version,
                components=tuple(loaded.offered),
                errors=tuple(problem for _, problem in loaded.errors),
                blocked=loaded.blocked,
            )
            for loaded in self._plugins
        )

    def benchmark(self, name: str, **options: object) -> Benchmark:
        """Build a benchmark by name."""
        return cast("Benchmark", self.build("benchmark", name, options))

    def backend(self, name: str, **options: object) -> Backend:
        """Build a backend by name."""
        return cast("Backend", self.build("backend", name, options))

    def judge(self, name: str, **options: object) -> Judge:
        """Build a judge by name."""
        return cast("Judge", self.build("judge", name, options))

    def matrix(self, name: str, **options: object) -> Matrix:
        """Build a matrix by name."""
        return cast("Matrix", self.build("matrix", name, options))

    def analyst(self, name: str, **options: object) -> Analyst:
        """Build an analyst by name."""
        return cast("Analyst", self.build("analyst", name, options))

    def policy_model(self, name: str, **options: object) -> PolicyModel:
        """Build an untrained policy model by name."""
        return cast("PolicyModel", self.build("policy model", name, options))

    def trainer(self, name: str, **options: object) -> Trainer:
        """Build a trainer by name."""
        return cast("Trainer", self.build("trainer", name, options))

    def rule(self, name: str, **options: object) -> Rule | Constraint:
        """Build a rule or constraint by name."""
        return cast("Rule", self.build("rule", name, options))

    def spend_source(self, name: str, **options: object) -> SpendSource:
        """Build a spend source by name."""
        return cast("SpendSource", self.build("spend source", name, options))

    def executor(self, name: str, **options: object) -> Executor:
        """Build an executor by name."""
        return cast("Executor", self.build("executor", name, options))

    def observer(self, name: str, **options: object) -> Observer:
        """Build an observer by name."""
        return cast("Observer", self.build("observer", name, options))

    def watched(self, hook: str) -> bool:
        """Tell whether any plugin implements an observer hook."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def routed(self, decision: Decision, query: Query, observers: Iterable[object] = ()) -> None:
        """Tell plugins and further observers of a decision; each gets the arguments that it names."""
        self._tell("routesdk_routed", observers, {"decision": decision, "query": query})

    def answered(
        self, decision: Decision, query: Query, answer: Answer, observers: Iterable[object] = ()
    ) -> None:
        """Tell plugins and further observers of an answer; each gets the arguments that it names."""
        given = {"decision": decision, "query": query, "answer": answer}
        self._tell("routesdk_answered", observers, given)

    def _tell(self, hook: str, observers: Iterable[object], arguments: Mapping[str, object]) -> None:
        # pluggy would stop at the first observer that raises; each must hear, whatever the others do.
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            try:
                impl.function(*(arguments[name] for name in impl.argnames))
            except (Exception, SystemExit):
                logger.exception("observer %r raised in %s", impl.plugin_name, hook)
        for observer in observers:
            try:
                take_note = getattr(observer, hook, None)
                if take_note is not None:
                    take_note(**accepted(take_note, arguments))
            except (Exception, SystemExit):
                logger.exception("observer %r raised in %s", type(observer).__name__, hook)

    def _load_builtin(self, dotted: str) -> None:
        name = dotted.rpartition(".")[2].replace("_", "-")
        loaded = _Loaded(name, "routesdk", "")
        self._admit(loaded, lambda: importlib.import_module(dotted))

    def _load_entry_point(self, point: importlib.metadata.EntryPoint) -> None:
        # Metadata without a name or a version is not valid, and is installed all the same: some releases
        # of Python then answer None, and some raise.
        stated, version = (attempt(getattr, point.dist, key, None)[0] for key in ("name", "version"))
        distribution = stated or point.value
        taken = any(loaded.name == point.name for loaded in self._plugins)
        name = f"{distribution}:{point.name}" if taken else point.name
        self._admit(_Loaded(name, distribution, version or ""), point.load)

    def _load_object(self, plugin: object) -> None:
        name = plugin.__name__ if isinstance(plugin, (ModuleType, type)) else type(plugin).__name__
        taken = sum(loaded.name.partition("#")[0] == name for loaded in self._plugins)
        self._admit(_Loaded(f"{name}#{taken + 1}" if taken else name, name, ""), lambda: plugin)

    def _admit(self, loaded: _Loaded, load: Callable[[], object]) -> None:
        """Load and register one plugin; what goes wrong is kept with it."""
        self._plugins.append(loaded)
        if any(loaded.goes_by(name) for name in self._blocked):
            loaded.blocked = True
            return
        _, error = attempt(self._register, loaded, load)
        if error is not None:
            # Older pluggy keeps the hooks that it had read before it found the one that is wrong.
            if self._manager.has_plugin(loaded.name):
                self._manager.unregister(name=loaded.name)
            self._note(loaded, "", error)
            return
        for caller in self._manager.get_hookcallers(loaded.module) or ():
            if not caller.has_spec():
                self._note(loaded, caller.name, f"it implements {caller.name}, which is no hook of routesdk")

    def _register(self, loaded: _Loaded, load: Callable[[], object]) -> None:
        loaded.module = load()
        self._manager.register(loaded.module, name=loaded.name)

    def _collect(self, loaded: _Loaded) -> None:
        """Call the offering hooks of one plugin and sort what they return."""
        for kind, hook in KINDS.items():
            for impl in getattr(self._manager.hook, hook).get_hookimpls():
                if impl.plugin_name != loaded.name:
                    continue
                components, error = attempt(_listed, impl.function)
                for each in components or ():
                    _, odd = attempt(self._sort, loaded, kind, each)
                    error = error or odd
                if error is not None:
                    self._note(loaded, hook, error)

    def _sort(self, loaded: _Loaded, kind: str, component: object) -> None:
        if not isinstance(component, Component):
            shown, error = attempt(repr, component)
            shown = shown if error is None else "object"
            problem = f"it offers {type(component).__name__} {shown} as a {kind}, not a Component"
            self._note(loaded, KINDS[kind], problem)
        elif component.api > API_VERSION:
            problem = (
                f"its {kind} {component.name!r} needs contract {component.api}, and this routesdk speaks "
                f"{API_VERSION}; upgrade routesdk"
            )
            self._note(loaded, f"{KINDS[kind]}:{component.name}", problem)
        else:
            offered = Offered(
                kind=kind,
                component=component,
                plugin=loaded.name,
                distribution=loaded.distribution,
                version=loaded.version,
            )
            loaded.offered.append(offered)
            self._offers[kind].append(offered)

    def _note(self, loaded: _Loaded, about: str, problem: Exception | str) -> None:
        text = problem if isinstance(problem, str) else _said(problem)
        loaded.errors.append((about, text))
        logger.warning("plugin %r of %s: %s", loaded.name, loaded.distribution, text)


def _construct(offered: Offered, options: dict[str, object], host: PluginHost) -> object:
    """Build a part from its options, and see that it is of its kind."""
    component = offered.component
    factory = component.factory
    where = f"{offered.kind.replace(' ', '_')}.{component.name}"
    part: object
    if component.config is not None:
        config: object = structure(options, component.config, where=where)
        part = factory(config, host=host) if names_argument(factory, "host") else factory(config)
    elif isinstance(factory, type) and attrs.has(factory):
        # The factory is its own config: a rule of a few fields needs no second class.
        part = structure(options, factory, where=where)
    elif options:
        name, value = next(iter(options.items()))
        raise ConfigError(f"{where}.{name}", repr(value), "no such key", "This component takes no options.")
    else:
        part = factory()
    problem = misfit(offered.kind, part)
    if problem:
        raise _broken(offered, problem)
    return part


def _broken(offered: Offered, problem: str) -> PluginLoadError:
    wanted = f"{offered.kind} {offered.component.name!r}"
    return PluginLoadError(offered.plugin, offered.distribution, problem, wanted)


def _listed(hook: Callable[[], Iterable[object]]) -> list[object]:
    return list(hook())


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def attempt(call: Callable[..., T], *arguments: object) -> tuple[T | None, Exception | None]:
    """Call a plugin's function; return its result, or the exception that it raised.

    For callers that must name the plugin in an error of their own: only this
    module may catch every exception. What is returned can be printed and
    raised: a `RuntimeError` stands in for `SystemExit`, which would end the
    caller's process, and for an exception whose text cannot be read.
    """
    try:
        return call(*arguments), None
    except SystemExit as error:
        return None, _stand_in(error, f"it raised SystemExit({error.code!a})")
    except Exception as error:
        return None, _sayable(error)


async def attempt_async(
    call: Callable[..., Awaitable[T]], *arguments: object
) -> tuple[T | None, Exception | None]:
    """Await a coroutine function of a plugin; return its result, or the exception that it raised.

    As `attempt`; cancellation passes through.
    """
    try:
        return await call(*arguments), None
    except SystemExit as error:
        return None, _stand_in(error, f"it raised SystemExit({error.code!a})")
    except Exception as error:
        return None, _sayable(error)


def _sayable(error: Exception) -> Exception:
    """Return an exception as it is, or a stand-in for one whose text cannot be read."""
    try:
        str(error)
    except (Exception, SystemExit):
        return _stand_in(error, f"it raised {type(error).__name__}, whose text cannot be read")
    return error


def _stand_in(error: BaseException, text: str) -> RuntimeError:
    tame = RuntimeError(text)
    tame.__cause__ = error
    return tame
