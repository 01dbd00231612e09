"""The kit for plugin authors: fakes, contract checks, and a pytest plugin.

Each kind of part has a check that calls it as routesdk would, and raises
`AssertionError` with a sentence that names what is broken and what the
contract asks: `check_rule(part)`, `check_backend(part)`, and so on.

Names are imported when they are first used, so that the pytest plugin, which
every pytest of the environment loads, costs nothing until a fixture is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routesdk.testing.backends import check_backend
    from routesdk.testing.evidence import check_analyst, check_benchmark, check_judge, check_matrix
    from routesdk.testing.fakes import (
        MODELS,
        POLICIES,
        FakeBackend,
        FakeJudge,
        FakeObserver,
        make_catalogue,
        make_context,
        make_decision,
        make_host,
        make_prediction,
        make_query,
    )
    from routesdk.testing.models import check_policy_model
    from routesdk.testing.policy_model import FakePolicyModel
    from routesdk.testing.rules import check_rule
    from routesdk.testing.running import check_executor, check_observer
    from routesdk.testing.samples import SCRIPTS, odd_queries, script_queries
    from routesdk.testing.spending import check_spend_source
    from routesdk.testing.training import check_trainer, make_examples, write_dataset

__all__ = [
    "MODELS",
    "POLICIES",
    "SCRIPTS",
    "FakeBackend",
    "FakeJudge",
    "FakeObserver",
    "FakePolicyModel",
    "check_analyst",
    "check_backend",
    "check_benchmark",
    "check_executor",
    "check_judge",
    "check_matrix",
    "check_observer",
    "check_policy_model",
    "check_rule",
    "check_spend_source",
    "check_trainer",
    "make_catalogue",
    "make_context",
    "make_decision",
    "make_examples",
    "make_host",
    "make_prediction",
    "make_query",
    "odd_queries",
    "script_queries",
    "write_dataset",
]

_HOMES = {
    "FakeBackend": "fakes",
    "FakeJudge": "fakes",
    "FakeObserver": "fakes",
    "FakePolicyModel": "policy_model",
    "MODELS": "fakes",
    "POLICIES": "fakes",
    "SCRIPTS": "samples",
    "check_analyst": "evidence",
    "check_backend": "backends",
    "check_benchmark": "evidence",
    "check_executor": "running",
    "check_judge": "evidence",
    "check_matrix": "evidence",
    "check_observer": "running",
    "check_policy_model": "models",
    "check_rule": "rules",
    "check_spend_source": "spending",
    "check_trainer": "training",
    "make_catalogue": "fakes",
    "make_context": "fakes",
    "make_decision": "fakes",
    "make_examples": "training",
    "make_host": "fakes",
    "make_prediction": "fakes",
    "make_query": "fakes",
    "odd_queries": "samples",
    "script_queries": "samples",
    "write_dataset": "training",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
