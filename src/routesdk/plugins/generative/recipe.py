"""What suits a base model: step size, rows per pass and attention, by family and size."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Recipe:
    """Settings for a family of base models.

    Attributes:
        attention: How attention is computed; None leaves it to transformers.
        micro_batch: Rows per pass on a GPU of 24 GB with 4-bit weights; a CPU takes 8 at the most.
    """

    attention: str | None = None
    micro_batch: int = 8


# Gemma 2 caps its attention logits, which the fused kernels leave out, and its makers train with the
# plain ones. Source: Gemma 2 model card and transformers' documentation of Gemma 2 and 3 (November 2026).
_RECIPES = {
    "gemma2": Recipe(attention="eager", micro_batch=4),
    "gemma3": Recipe(attention="eager"),
    "gemma3_text": Recipe(attention="eager", micro_batch=16),
    "qwen2": Recipe(micro_batch=8),
    "phi3": Recipe(micro_batch=4),
    "llama": Recipe(micro_batch=16),
}
_CPU_MICRO_BATCH = 8

# Source: QLoRA (arXiv:2305.14314), table 9, has 2e-4 for 7B and 13B and 1e-4 above. Labels of an oracle
# are noisy, and small models learn them by heart: of 5e-4 and 1e-4, SmolLM2 135M had its lower validation
# loss at 1e-4 on recorded SimpleQA (docs/explanation/training.md).
_STEP_SIZES = ((1_000_000_000, 1e-4), (14_000_000_000, 2e-4))
_SMALLEST_STEP_SIZE = 1e-4


def recipe_for(family: str) -> Recipe:
    """Return the recipe of a family, such as `gemma2`; of an unknown one, what suits most."""
    return _RECIPES.get(family, Recipe())


def step_size(parameters: int) -> float:
    """Return the peak step size for a model of so many parameters."""
    return next((size for most, size in _STEP_SIZES if parameters < most), _SMALLEST_STEP_SIZE)


def rows_a_pass(family: str, batch_size: int, device: str) -> int:
    """Return the rows of a pass: what suits the family, and divides the rows of a step."""
    most = recipe_for(family).micro_batch if device.startswith("cuda") else _CPU_MICRO_BATCH
    return max(rows for rows in range(1, min(most, batch_size) + 1) if batch_size % rows == 0)
