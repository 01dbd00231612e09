"""The policy model `generative`: scores the policies' names after the decision mark, in one pass."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import CheckpointError, PredictionError, TrainingError
from routesdk.pipeline.prepare import DECISION_FIRST, read_completion, write_completion
from routesdk.plugins.generative import GenerativeConfig
from routesdk.plugins.generative.base import Base, load_base, quiet, serving_bits, serving_precision
from routesdk.plugins.generative.codec import REASON_TOKENS, Codec, Prompt
from routesdk.plugins.generative.disk import unwritten
from routesdk.plugins.generative.engine import Engine, Stops, Task
from routesdk.plugins.generative.origin import check_base, find_base
from routesdk.plugins.generative.state import (
    ADAPTER,
    MERGED,
    STATE,
    TOKENIZER,
    State,
    describe,
    read_state,
    write_state,
)
from routesdk.plugins.generative.tree import Tree
from routesdk.types import Policy, PredictionBatch, Query, Tier

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(eq=False)
class Parts:
    """A model made ready to decide.

    Attributes:
        codec: From queries to tokens.
        tree: The policies' names.
        engine: Runs the model.
        lock: One thread at a time: a model's passes share its memory.
        stops: Built when a line is first written, for it goes through the whole vocabulary.
    """

    codec: Codec
    tree: Tree
    engine: Engine
    lock: threading.RLock
    stops: list[Stops]
    vocabulary: int

    @classmethod
    def of(cls, base: Base, state: State, batch_tokens: int) -> Parts:
        """Make a model ready."""
        codec = Codec(base.tokenizer, state.policies, state.order, state.max_tokens)
        prefix = codec.common_prefix()
        vocabulary = int(base.model.config.get_text_config().vocab_size)
        return cls(
            codec,
            Tree.of(codec.labels, codec.after_label),
            Engine(base.model, prefix, batch_tokens),
            threading.RLock(),
            [],
            vocabulary,
        )

    def prompts(self, queries: Sequence[Query]) -> list[Prompt]:
        """Return the queries' prompts."""
        return [self.codec.prompt(query) for query in queries]

    def scores(self, prompts: Sequence[Prompt]) -> NDArray[np.float64]:
        """Return log-probabilities of the policies, (prompts, policies), before calibration."""
        with self.lock:
            if self.codec.order == DECISION_FIRST:
                starts = [(*prompt.tokens, *self.codec.opening) for prompt in prompts]
            else:
                starts = [self._reasoned(prompt.tokens) for prompt in prompts]
            logits: list[NDArray[np.float64]] = [np.empty(0)] * len(self.tree.branches)
            for path in self.tree.paths:
                branches = self.tree.on(path)
                tasks = [
                    Task(
                        tokens=(*start, *path),
                        places=tuple(len(start) - 1 + len(self.tree.branches[at].path) for at in branches),
                    )
                    for start in starts
                ]
                found = self.engine.logits(tasks, [self.tree.branches[at].allowed for at in branches])
                for at, each in zip(branches, found, strict=True):
                    logits[at] = each
            return self.tree.scores(logits)

    def write_reason(self, prompt: Prompt, policy: str) -> str:
        """Write the reason of a policy that is decided, and read it back by the strict form."""
        with self.lock:
            start = (*prompt.tokens, *self.codec.before_reason(policy))
            written = self.engine.write_line(start, REASON_TOKENS, self._stops())
        reason = self.codec.decode(written).strip()
        text = write_completion(policy, reason, self.codec.order)
        return read_completion(text, [each.name for each in self.codec.policies], self.codec.order).reason

    def write_all(self, prompt: Prompt) -> str:
        """Write decision and reason token by token, as a router without scoring would; for comparison."""
        with self.lock:
            start = (*prompt.tokens, *self.codec.opening)
            first = self.engine.write_line(start, REASON_TOKENS, self._stops())
            second = (*start, *first, *self.codec.reason_open)
            return self.codec.decode((*first, *self.engine.write_line(second, REASON_TOKENS, self._stops())))

    def _reasoned(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Write a reason first, and return everything up to where the policy's name belongs."""
        start = (*tokens, *self.codec.opening)
        written = self.engine.write_line(start, REASON_TOKENS, self._stops())
        return (*start, *written, *self.codec.policy_open)

    def _stops(self) -> Stops:
        if not self.stops:
            self.stops.append(Stops(self.codec.tokenizer, self.vocabulary))
        return self.stops[0]


class GenerativeModel:
    """Predicts probabilities over policies by a causal language model.

    Immutable, and safe to share between threads, which take turns. Fresh from its
    factory it is untrained, and good for `load` alone.

    Args:
        config: Where and how it runs.
        state: What it learned; None while untrained.
        parts: The model in memory; None while untrained.
        source: The folder that it was loaded from, whose files `save` copies.
    """

    def __init__(
        self,
        config: GenerativeConfig | None = None,
        state: State | None = None,
        parts: Parts | None = None,
        source: Path | None = None,
    ) -> None:
        self._config = config or GenerativeConfig()
        self._state = state
        self._parts = parts
        self._source = source
        self._files = None if source is None else _contents(source)

    @property
    def state(self) -> State:
        """What it learned."""
        if self._state is None:
            raise PredictionError("generative", "it is untrained: load what `qlora-sft` wrote")
        return self._state

    @property
    def parts(self) -> Parts:
        """The model in memory."""
        if self._parts is None:
            raise PredictionError("generative", "it is untrained: load what `qlora-sft` wrote")
        return self._parts

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        """Predict policies, in batches of like length; long conversations lose their oldest turns."""
        state = self.state
        names = tuple(policy.name for policy in state.policies)
        prompts = self.parts.prompts(queries)
        if not prompts:
            return PredictionBatch(policies=np.zeros((0, len(names))), policy_names=names)
        values = state.calibration.probabilities(self.parts.scores(prompts))
        cut = np.array([prompt.cut for prompt in prompts], dtype=np.bool_)
        return PredictionBatch(policies=values, policy_names=names, cut=cut)

    def explain(self, query: Query, policy: Policy) -> str:
        """Write why, for the policy that is decided; what is written always parses."""
        if policy.name not in [each.name for each in self.state.policies]:
            raise PredictionError("generative", f"it never learned the policy {policy.name!r}")
        return self.parts.write_reason(self.parts.codec.prompt(query), policy.name)

    def bind(self, tiers: tuple[Tier, ...]) -> GenerativeModel:
        """Return itself: it knows policies, whatever the models are."""
        return self

    def reference(self) -> PredictionBatch | None:
        """Return what it predicted for its validation rows."""
        state = self.state
        if not state.reference:
            return None
        names = tuple(policy.name for policy in state.policies)
        return PredictionBatch(policies=np.array(state.reference), policy_names=names)

    @property
    def held_bytes(self) -> int:
        """Bytes of its weights in memory, the base model's included."""
        return self.parts.engine.held_bytes

    def details(self) -> dict[str, str]:
        """Say how it was trained, for its card."""
        return describe(self.state)

    def merged(self) -> GenerativeModel:
        """Return a copy that saves whole weights, adapter included: it needs no base model to load.

        Raises:
            PredictionError: The base model is in fewer bits than 16, into which nothing can be merged.
        """
        if self.parts.engine.is_quantised:
            problem = "weights in 4 or 8 bits cannot take the adapter in"
            raise PredictionError("generative", f"{problem}: load it with bits = 16, and merge that")
        return GenerativeModel(self._config, self.state, self.parts)

    def save(self, folder: Path) -> None:
        """Write adapter or merged weights, tokenizer and state into an existing folder.

        Raises:
            CheckpointError: The disk is full, or a file that should be copied is gone.
            OSError: A file cannot be written or copied.
        """
        if self._source is None or self._files is None:
            write_state(folder, self.state)
            self._save_merged(folder / MERGED)
            return
        for path, content in self._files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None and not (self._source / path).is_file():
                problem = "is gone: it was too large to be kept in memory"
                raise CheckpointError(
                    str(self._source / path), problem, "Load the router again, and save it."
                )
            if content is None:
                shutil.copyfile(self._source / path, target)
            else:
                target.write_bytes(content)

    def _save_merged(self, folder: Path) -> None:
        try:
            self.parts.engine.save(folder)
            self.parts.codec.tokenizer.save_pretrained(str(folder))
        except Exception as error:
            what = unwritten(error)
            if not what:
                raise
            problem = f"cannot be written: {what} ({error})"
            raise CheckpointError(str(folder), problem, "Make room, and save the router again.") from error

    def load(self, folder: Path) -> GenerativeModel:
        """Return the policy model that `save` wrote.

        Raises:
            CheckpointError: A file is missing or damaged, or the base model is missing or another one.
        """
        state = read_state(folder)
        try:
            base = self._merged(folder, state) if (folder / MERGED).is_dir() else self._adapted(folder, state)
        except TrainingError as error:
            # Who loads a checkpoint trains nothing.
            raise CheckpointError(str(folder), error.problem, error.fix) from error
        return GenerativeModel(self._config, state, Parts.of(base, state, self._config.batch_tokens), folder)

    def _merged(self, folder: Path, state: State) -> Base:
        _require(folder / MERGED, "tokenizer.json", "config.json")
        return load_base(
            str(folder / MERGED),
            None,
            device=self._config.device,
            bits=self._config.bits or 16,
            precision=serving_precision(state.precision, self._config.device),
        )

    def _adapted(self, folder: Path, state: State) -> Base:
        place, revision = find_base(state.base, self._config.base_model)
        _require(folder / TOKENIZER, "tokenizer.json", "tokenizer_config.json")
        base = load_base(
            place,
            revision,
            device=self._config.device,
            bits=self._config.bits or serving_bits(state.bits, self._config.device),
            precision=serving_precision(state.precision, self._config.device),
            tokenizer=folder / TOKENIZER,
        )
        check_base(state.base, base.record)
        return with_adapter(base, folder / ADAPTER)


def _require(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise CheckpointError(str(folder / name), "is missing", "Save the router again.")


def with_adapter(base: Base, folder: Path, *, trainable: bool = False) -> Base:
    """Put an adapter on a base model: into its weights, where these are neither quantised nor to be trained.

    Args:
        base: The base model.
        folder: The adapter, as safetensors.
        trainable: Whether it is trained further.

    Raises:
        CheckpointError: The adapter is missing, damaged, or not for this model.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    # Without it, another format would be looked for.
    _require(folder, "adapter_model.safetensors", "adapter_config.json")
    try:
        with quiet():
            adapted = PeftModel.from_pretrained(base.model, str(folder), is_trainable=trainable)
            model = adapted if trainable or base.bits < 16 else adapted.merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise CheckpointError(str(folder), f"holds no adapter for {base.record.name!r} ({error})") from error
    return attrs.evolve(base, model=model.eval())


def _contents(folder: Path) -> dict[Path, bytes | None]:
    """Return the files of a folder: small ones whole, since the folder may go; large ones by name."""
    files: dict[Path, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            known = path.relative_to(folder)
            wanted = known.parts[0] in (STATE, ADAPTER, MERGED, TOKENIZER)
            if wanted:
                files[known] = path.read_bytes() if path.stat().st_size <= 256 << 20 else None
    return files
