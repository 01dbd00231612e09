"""Rows of a pass in one sequence, behind the beginning that all prompts share: it is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_IGNORED = -100
MASK = "shared_mask"
"""The collator's name for the mask; not `attention_mask`, whose sum TRL takes for a count of tokens."""

_ABLE = ("sdpa", "eager")
"""Kinds of attention that take a mask of any form."""

_LONGEST = 4096
"""Tokens of a joined sequence at the most: its mask then takes 32 MiB."""


@attrs.frozen
class SharedPrefix:
    """A collator: [beginning][row 1][row 2]…, where a row sees the beginning and itself.

    Positions go on from the beginning in every row, so that each row has the very
    loss that it has by itself; gradients of the beginning add up. For a prompt of
    85 shared tokens and rows of 60 more, a pass of eight rows computes half as much.

    Attributes:
        prefix: Tokens that all rows begin with.
        dtype: Type of the mask: the model's.
    """

    prefix: tuple[int, ...]
    dtype: torch.dtype

    def __call__(self, rows: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, torch.Tensor]:
        """Put rows with `input_ids` and `labels` into one sequence of shape (1, tokens)."""
        start = len(self.prefix)
        tokens, labels = list(self.prefix), [_IGNORED] * start
        places, owners = list(range(start)), [0] * start
        for number, row in enumerate(rows, start=1):
            rest = row["input_ids"][start:]
            tokens += rest
            # What a row's first token is guessed from stands in the row before.
            labels += [_IGNORED, *row["labels"][start + 1 :]]
            places += range(start, start + len(rest))
            owners += [number] * len(rest)
        return {
            "input_ids": torch.tensor([tokens]),
            "labels": torch.tensor([labels]),
            "position_ids": torch.tensor([places]),
            MASK: self._mask(torch.tensor(owners)),
        }

    def _mask(self, owners: torch.Tensor) -> torch.Tensor:
        """Return what is added to attention, (1, 1, tokens, tokens): 0 where a token may look."""
        count = len(owners)
        before = torch.ones((count, count), dtype=torch.bool).tril()
        seen = before & ((owners[:, None] == owners[None, :]) | (owners[None, :] == 0))
        mask = torch.full((count, count), torch.finfo(self.dtype).min, dtype=self.dtype)
        return mask.masked_fill(seen, 0.0)[None, None]


def can_share(
    model: PreTrainedModel, prefix: Sequence[int], rows: Sequence[Sequence[int]], at_once: int
) -> bool:
    """Tell whether rows can stand in one sequence: they begin alike, and are short; attention takes the mask.

    Attention and mask grow with the square of the sequence, and a mask of its own form
    knows no sliding window: rows must fit into that of the model.

    Args:
        model: The model.
        prefix: What rows should begin with.
        rows: Their tokens.
        at_once: Rows of a pass.
    """
    start = len(prefix)
    alike = all(list(row[:start]) == list(prefix) and len(row) > start for row in rows)
    if not start or not alike or str(model.config._attn_implementation) not in _ABLE:
        return False
    longest = sorted((len(row) for row in rows), reverse=True)
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    joined = start + sum(length - start for length in longest[:at_once])
    return joined <= _LONGEST and (not window or longest[0] <= window)


@contextmanager
def masked(model: torch.nn.Module, mask: torch.Tensor) -> Iterator[None]:
    """Have a model use a mask of its own form in its next pass."""

    def add(_: torch.nn.Module, arguments: tuple[object, ...], named: dict[str, object]) -> object:
        return arguments, {**named, "attention_mask": mask}

    hook = model.register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
