"""What a generative router keeps beside its weights: `generative.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import attrs

from routesdk.errors import CheckpointError, ConfigError
from routesdk.pipeline.prepare import FORM_VERSION, PROMPT_VERSION
from routesdk.plugins.generative.origin import BaseRecord
from routesdk.plugins.generative.scaling import Scaling
from routesdk.structure import structure
from routesdk.types import FrozenMapping, Policy, frozen

STATE = "generative.json"
ADAPTER = "adapter"
MERGED = "model"
TOKENIZER = "tokenizer"


@attrs.frozen(kw_only=True)
class State:
    """Everything that says how a generative router decides.

    Attributes:
        base: The base model.
        policies: The policies, in the order of the scores.
        tiers: Names of the tiers.
        order: Which line of a reply comes first.
        max_tokens: Longest prompt and reply.
        bits: Bits per base weight while it was trained.
        precision: Type that it was computed in, such as `bfloat16`.
        calibration: From scores to probabilities.
        reference: (rows, policies) calibrated probabilities of the validation rows.
        training: How it was trained, for people: trainer, config, hashes of the data, figures.
        prompt_version: Version of the prompt's wording.
        form_version: Version of the reply's form.
    """

    base: BaseRecord
    policies: tuple[Policy, ...]
    tiers: tuple[str, ...]
    order: str
    max_tokens: int
    bits: int
    precision: str
    calibration: Scaling
    reference: tuple[tuple[float, ...], ...] = ()
    training: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=frozen)
    prompt_version: int = PROMPT_VERSION
    form_version: int = FORM_VERSION


def describe(state: State) -> dict[str, str]:
    """Say in a few words how a router was trained: base, prompt, settings, hashes of the data, figures."""
    base, training = state.base, state.training
    found = {
        "base model": f"{base.name}{f' @ {base.revision}' if base.revision else ''} ({base.family}, "
        f"{base.parameters / 1e6:,.0f} million weights)",
        "base model's fingerprint": base.fingerprint[:16],
        "prompt and form": f"versions {state.prompt_version} and {state.form_version}, {state.order}",
        "longest prompt and reply": f"{state.max_tokens:,} tokens",
        "bits per base weight": f"{state.bits}, computed in {state.precision}",
        "calibration": f"{state.calibration.method} scaling on {state.calibration.rows:,} validation rows",
    }
    for name, value in training.items():
        found[name.replace("_", " ")] = (
            json.dumps(value, default=_thawed) if isinstance(value, Mapping) else str(value)
        )
    return found


def _thawed(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else list(value)  # type: ignore[call-overload]


def write_state(folder: Path, state: State) -> None:
    """Write the file."""
    data = attrs.asdict(state, value_serializer=_plain)
    (folder / STATE).write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_state(folder: Path) -> State:
    """Read the file.

    Raises:
        CheckpointError: It is missing or damaged, or of another version of prompt or form.
    """
    file = folder / STATE
    try:
        state = structure(json.loads(file.read_text(encoding="utf-8")), State, source=str(file))
    except (OSError, ValueError, ConfigError) as error:
        raise CheckpointError(str(file), f"cannot be read ({error})") from error
    versions = (state.prompt_version, state.form_version)
    if versions != (PROMPT_VERSION, FORM_VERSION):
        known = (PROMPT_VERSION, FORM_VERSION)
        problem = f"was trained with prompt and form of version {versions}, and this is {known}"
        raise CheckpointError(str(file), problem, "Use the routesdk that wrote it, or train again.")
    return state


def _plain(_: object, __: object, value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(None, None, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(None, None, item) for item in value]
    return value
