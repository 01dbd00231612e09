"""Which backend reaches which model: built on first use, and never saved."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import attrs

from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.protocols import Backend
from routesdk.types import FrozenMapping, PartConfig, frozen

if TYPE_CHECKING:
    from routesdk.config import RouterConfig


class Way:
    """A backend, or how to build it: once, when the first call is made.

    Args:
        name: What errors call it.
        backend: The backend, where it is there already.
        config: What the host builds it from otherwise.
        host: The host that does.
    """

    def __init__(
        self,
        name: str,
        backend: Backend | None = None,
        *,
        config: PartConfig | None = None,
        host: PluginHost | None = None,
    ) -> None:
        self.name = name
        self._backend = backend
        self._config = config
        self._host = host
        self._lock = threading.Lock()

    @classmethod
    def to(cls, part: str | PartConfig | Backend, host: PluginHost) -> Way:
        """Return the way to a backend by name, or to an object.

        Raises:
            UnknownComponentError: No plugin offers the name.
            ConfigError: The object is no backend.
        """
        if isinstance(part, (str, PartConfig)):
            config = PartConfig.of(part)
            # A misspelt name comes to light here; the backend's package is loaded when it is needed.
            host.find("backend", config.name)
            return cls(config.name, config=config, host=host)
        if isinstance(part, type) or not isinstance(part, Backend):
            problem = "is no backend: it has no `generate` and `stream`"
            raise ConfigError("backend", repr(part)[:80], problem, "Give a name, or a Backend object.")
        return cls(type(part).__name__, part)

    @property
    def built(self) -> Backend | None:
        """The backend, if it is there already."""
        return self._backend

    def backend(self) -> Backend:
        """Return the backend, and build it if nobody has; safe from several threads.

        Raises:
            MissingExtraError: A package that it needs is not installed.
            ConfigError: An option is wrong.
        """
        with self._lock:
            if self._backend is None:
                assert self._config is not None and self._host is not None
                part = self._host.build("backend", self._config.name, self._config.options)
                self._backend = cast("Backend", part)
            return self._backend


def _ways(ways: Mapping[str, Way]) -> Mapping[str, Way]:
    return frozen(ways)


@attrs.frozen(kw_only=True, eq=False)
class Backends:
    """The ways to the models.

    Attributes:
        usual: Reaches every model that has no way of its own; None where there is none.
        ways: Model → the way to it.
    """

    usual: Way | None = None
    ways: Mapping[str, Way] = attrs.field(factory=FrozenMapping, converter=_ways)

    @classmethod
    def of(cls, config: RouterConfig, host: PluginHost) -> Backends:
        """Return the ways that a config describes.

        Raises:
            UnknownComponentError: It names a backend that no plugin offers.
        """
        usual = None if config.backend is None else Way.to(config.backend, host)
        return cls(usual=usual, ways={model: Way.to(part, host) for model, part in config.backends.items()})

    def with_way(self, way: Way, models: Sequence[str]) -> Backends:
        """Return a copy in which these models, or all where none is named, are reached by this way.

        Raises:
            ConfigError: A model has no name.
        """
        for model in models:
            if not isinstance(model, str) or not model.strip():
                raise ConfigError("models", repr(model)[:80], "not a model's name", "Give a string.")
        if not models:
            return Backends(usual=way)
        return attrs.evolve(self, ways={**self.ways, **dict.fromkeys(models, way)})

    def to(self, model: str) -> Way:
        """Return the way to a model.

        Raises:
            ConfigError: There is none.
        """
        way = self.ways.get(model, self.usual)
        if way is None:
            raise _unreached(repr(model), "no backend reaches this model")
        return way

    def check_any(self) -> None:
        """Check that there is a way to some model, before anything is decided.

        Raises:
            ConfigError: There is none.
        """
        if self.usual is None and not self.ways:
            raise _unreached("none", "no backend reaches any model")


def _unreached(value: str, problem: str) -> ConfigError:
    return ConfigError(
        "backend",
        value,
        problem,
        'Write router.with_backend("gemini"), --backend gemini, or backend = "gemini" under [router] '
        "of routesdk.toml; `routesdk plugins list` shows the backends that there are.",
    )
