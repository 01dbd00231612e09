"""SFT, then DPO, of a language model so small that it takes seconds on one core; or of `--base-model`."""

from __future__ import annotations

import argparse
import os
import tempfile
from itertools import islice
from pathlib import Path

from routesdk.config import TrainConfig
from routesdk.dataset import read_examples, write_examples
from routesdk.pipeline.payoff import to_markdown
from routesdk.pipeline.training import train_router
from routesdk.testing import MODELS, make_examples

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
RECORDED = Path(os.environ.get("ROUTESDK_DATA") or BESIDE) / "simpleqa_cs.jsonl.gz"
PAIR = ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022")


def save_model(folder: Path) -> str:
    """Save a Llama of two layers with random weights, which reads and writes single bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = Tokenizer(models.BPE({byte: at for at, byte in enumerate(alphabet)}, []))
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, eos_token="<|end|>")
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=len(tokenizer), **size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def main(folder: Path, base_model: str | None) -> None:
    rows, tiers = (read_examples(RECORDED), PAIR) if RECORDED.is_file() else (make_examples(120), MODELS)
    write_examples(folder / "rows.jsonl", islice(rows, 120))
    config = TrainConfig(
        trainer="qlora-dpo",  # qlora-sft comes first by itself
        data=folder / "rows.jsonl",
        tiers=tiers,
        base_model=base_model or save_model(folder / "base"),
        output=folder / "router",
        work=folder / "work",
    )
    trained = train_router(config)
    print(to_markdown(trained.payoff, trained.verdict))
    decision = trained.router.route("Who won the Jerlov Award in 2018?", explain=True)
    print(f"{decision.policy} -> {decision.model}: {decision.explanation!r}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-model", help="folder or Hub id; else a tiny one")
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch), parser.parse_args().base_model)
