"""Runs a causal language model over prompts: logits at chosen places, and one line of text at a time."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from transformers import DynamicCache

from routesdk.plugins.generative.base import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PAD = 0
_PAST = "past_key_values"
_ROWS = 64
"""Rows of a batch at the most."""

_LATTICE = 8
"""Lengths are padded to a multiple of this, so that few different shapes occur."""


@attrs.frozen(kw_only=True)
class Task:
    """Tokens to run over, and where logits are wanted.

    Attributes:
        tokens: The whole prompt.
        places: Places in it, ascending; logits there say what follows.
    """

    tokens: tuple[int, ...]
    places: tuple[int, ...]


class Engine:
    """A model with the keys and values of the beginning that all prompts share.

    Padding stands on the right, where no token looks: a row's logits do not depend
    on what it is batched with, up to rounding.

    Args:
        model: The model.
        prefix: Tokens that prompts begin with; empty for none.
        batch_tokens: Tokens of a batch at the most.
    """

    def __init__(self, model: PreTrainedModel, prefix: Sequence[int], batch_tokens: int) -> None:
        self._model = model
        self._batch_tokens = batch_tokens
        self._prefix = tuple(prefix)
        self._cache: DynamicCache | None = None
        self._keyword = _cache_keyword(model)
        if self._prefix:
            with torch.inference_mode():
                tokens = torch.tensor([self._prefix], device=self._model.device)
                result = self._model(input_ids=tokens, use_cache=True, logits_to_keep=1)
                self._cache = result[self._keyword]

    @property
    def model(self) -> PreTrainedModel:
        """The model that is run."""
        return self._model

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self._model.device

    @property
    def is_quantised(self) -> bool:
        """Whether its weights are in fewer bits than 16."""
        return bool(getattr(self._model, "is_quantized", False)) or hasattr(self._model, "peft_config")

    @property
    def held_bytes(self) -> int:
        """Bytes of its weights in memory."""
        return sum(each.numel() * each.element_size() for each in self._model.parameters())

    def save(self, folder: Path) -> None:
        """Write the model's weights and config into a folder."""
        with quiet():
            self._model.save_pretrained(str(folder), max_shard_size="4GB")

    def logits(self, tasks: Sequence[Task], allowed: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return logits of chosen tokens at chosen places.

        Args:
            tasks: What to run over; all with as many places as there are sets of tokens.
            allowed: For each place, the tokens that are wanted.

        Returns:
            For each place, shape (tasks, tokens).
        """
        found = [np.empty((len(tasks), len(tokens))) for tokens in allowed]
        for batch in self._batches(tasks):
            with torch.inference_mode():
                rows = self._run([tasks[at] for at in batch])
            for place, tokens in enumerate(allowed):
                found[place][batch] = rows[place][:, list(tokens)].double().cpu().numpy()
        return found

    def write_line(self, tokens: Sequence[int], limit: int, ends: Stops) -> tuple[int, ...]:
        """Write on greedily until a line ends, and return what was written without its end.

        The first token is one that says something, so that the line is not blank.

        Args:
            tokens: Prompt and what is written already.
            limit: Tokens to write at the most.
            ends: Which tokens end a line, and which cannot begin one.
        """
        written: list[int] = []
        with torch.inference_mode():
            start, cache = self._start(tokens)
            given = torch.tensor([tokens[start:]], device=self._model.device)
            for _ in range(limit):
                result = self._model(
                    input_ids=given, use_cache=True, logits_to_keep=1, **{self._keyword: cache}
                )
                cache = result[self._keyword]
                logits = result.logits[0, -1].float()
                if not written:
                    logits = logits.masked_fill(ends.no_beginning(logits.device), float("-inf"))
                token = int(logits.argmax())
                if token in ends.ends:
                    break
                written.append(token)
                given = torch.tensor([[token]], device=self._model.device)
        return tuple(written)

    def _run(self, tasks: Sequence[Task]) -> list[torch.Tensor]:
        """Run over a batch; for each place, logits of shape (tasks, vocabulary)."""
        start, cache = self._shared(tasks)
        rest = [task.tokens[start:] for task in tasks]
        width = -(-max(len(tokens) for tokens in rest) // _LATTICE) * _LATTICE
        device = self._model.device
        given = torch.full((len(tasks), width), _PAD, device=device)
        mask = torch.zeros((len(tasks), start + width), dtype=torch.long, device=device)
        for row, tokens in enumerate(rest):
            given[row, : len(tokens)] = torch.tensor(tokens, device=device)
            mask[row, : start + len(tokens)] = 1
        places = torch.tensor([task.places for task in tasks], device=device) - start
        with _head_at(self._model, places):
            result = self._model(
                input_ids=given,
                attention_mask=mask,
                position_ids=torch.arange(start, start + width, device=device)[None].expand(len(tasks), -1),
                **{self._keyword: cache},
                use_cache=cache is not None,
            )
        return list(result.logits.unbind(dim=1))

    def _shared(self, tasks: Sequence[Task]) -> tuple[int, DynamicCache | None]:
        length = len(self._prefix)
        # A place inside the shared beginning has no logits of its own there.
        fits = all(
            task.tokens[:length] == self._prefix and len(task.tokens) > length and task.places[0] >= length
            for task in tasks
        )
        if self._cache is None or not fits:
            return 0, None
        cache = copy.deepcopy(self._cache)
        if len(tasks) > 1:
            cache.batch_repeat_interleave(len(tasks))
        return length, cache

    def _start(self, tokens: Sequence[int]) -> tuple[int, DynamicCache | None]:
        return self._shared([Task(tokens=tuple(tokens), places=(len(tokens) - 1,))])

    def _batches(self, tasks: Sequence[Task]) -> Iterator[list[int]]:
        """Put tasks of like length together, as many as a batch may hold."""
        order = sorted(range(len(tasks)), key=lambda at: len(tasks[at].tokens))
        batch: list[int] = []
        for at in order:
            # Sorted: the newest is the longest.
            if batch and (
                len(batch) >= _ROWS or (len(batch) + 1) * len(tasks[at].tokens) > self._batch_tokens
            ):
                yield batch
                batch = []
            batch.append(at)
        if batch:
            yield batch


@contextmanager
def _head_at(model: PreTrainedModel, places: torch.Tensor) -> Iterator[None]:
    """Have a model's head, the map from states to logits, look at each row's own places alone.

    Rows of unlike length end at unlike places. All logits at all of them would be many times what is
    wanted, and with a vocabulary of 262,144 the head of a small model costs more than its layers.

    Args:
        model: The model.
        places: Where, ascending, (rows, places); its logits are then (rows, places, vocabulary).
    """
    rows = torch.arange(len(places), device=places.device)[:, None]

    def choose(_: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        states, *rest = arguments
        return (states[rows, places], *rest)

    hook = model.get_output_embeddings().register_forward_pre_hook(choose)
    try:
        yield
    finally:
        hook.remove()


def _cache_keyword(model: PreTrainedModel) -> str:
    """Return what a model calls the cache that it is given: transformers renames it in version 5.40."""
    known = inspect.signature(getattr(model, "get_base_model", lambda: model)().forward).parameters
    return "cache" if "cache" in known else _PAST


class Stops:
    """Which tokens end a line, and which cannot begin one.

    Args:
        tokenizer: The tokenizer.
        size: How many logits the model has; more than the tokenizer has tokens, at times.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int) -> None:
        special = {int(token) for token in tokenizer.all_special_ids}
        special |= {at for at, each in tokenizer.added_tokens_decoder.items() if each.special}
        ends, blank = set(special), set(special)
        for token in range(min(size, len(tokenizer))):
            text = tokenizer.decode([token])
            if "\n" in text or "\r" in text:
                ends.add(token)
            if not text.strip():
                blank.add(token)
        self.ends = frozenset(ends | set(range(len(tokenizer), size)))
        self._no_beginning = torch.zeros(size, dtype=torch.bool)
        self._no_beginning[sorted(at for at in self.ends | blank if at < size)] = True

    def no_beginning(self, device: torch.device) -> torch.Tensor:
        """Return a mask over the vocabulary of what cannot begin a line."""
        return self._no_beginning.to(device)
