"""How a sentence-transformers folder makes one vector of a text's tokens, as far as numpy can do it."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

_NAMESPACE = "sentence_transformers."
_SETTINGS = "sentence_bert_config.json"


class UnsuitableError(Exception):
    """A folder is no sentence encoder that can be used here; the text says why."""


@attrs.frozen(kw_only=True)
class Pooling:
    """From vectors of tokens to one of the text.

    Attributes:
        mode: `mean` of the tokens, or the first one (`cls`).
        normalize: Whether vectors get length one.
        prompt: What stands before each text.
        lower: Whether texts are lowered first.
    """

    mode: str = attrs.field(validator=attrs.validators.in_(("mean", "cls")))
    normalize: bool
    prompt: str = ""
    lower: bool = False


def check_modules(folder: Path) -> None:
    """Refuse a folder that would have other code run than sentence-transformers' own.

    Raises:
        UnsuitableError: It names a class of another package, or a place outside itself.
    """
    for module in _modules(folder):
        kind, path = str(module.get("type")), str(module.get("path", ""))
        if not kind.startswith(_NAMESPACE):
            raise UnsuitableError(f"modules.json names {kind!r}, code that is not sentence-transformers'")
        if ".." in Path(path).parts or Path(path).is_absolute():
            raise UnsuitableError(f"modules.json names the place {path!r}, outside the folder")


def read_pooling(folder: Path) -> Pooling:
    """Read how the folder pools.

    Raises:
        UnsuitableError: It does more than numpy does here.
    """
    kinds = [str(module.get("type")).rpartition(".")[2] for module in _modules(folder)]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise UnsuitableError(f"its modules are {', '.join(kinds) or 'not listed'}")
    place = str(_modules(folder)[1].get("path", ""))
    general = _object(folder / "config_sentence_transformers.json")
    prompts = general.get("prompts")
    named = general.get("default_prompt_name")
    prompt = prompts.get(named, "") if isinstance(prompts, dict) and isinstance(named, str) else ""
    return Pooling(
        mode=_mode(_object(folder / place / "config.json")),
        normalize=len(kinds) == 3,
        prompt=str(prompt),
        lower=_object(folder / _SETTINGS).get("do_lower_case") is True,
    )


def token_limit(folder: Path) -> int | None:
    """Return the tokens that the folder's encoder was made for; None where no file says it."""
    limits = [
        _object(folder / _SETTINGS).get("max_seq_length"),
        _object(folder / "tokenizer_config.json").get("model_max_length"),
        _object(folder / "config.json").get("max_position_embeddings"),
    ]
    # Tokenizers without a limit have one of 1e30.
    return min((limit for limit in limits if isinstance(limit, int) and 0 < limit < 1e6), default=None)


def _mode(config: dict[str, object]) -> str:
    # The old form has a truth value a mode, the new one a name.
    named = config.get("pooling_mode")
    found = [named] if isinstance(named, str) else []
    old = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    for key, value in config.items():
        if key.startswith("pooling_mode_") and value is True:
            found.append(old.get(key, key))
    if found not in (["mean"], ["cls"]):
        raise UnsuitableError(f"it pools by {', '.join(found) or 'nothing'}")
    return found[0]


def _modules(folder: Path) -> list[dict[str, object]]:
    try:
        data = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise UnsuitableError(f"modules.json is no JSON ({error})") from error
    if not isinstance(data, list) or not all(isinstance(module, dict) for module in data):
        raise UnsuitableError("modules.json is no list of modules")
    return data


def _object(file: Path) -> dict[str, object]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
