"""A causal language model and its tokenizer: loaded, asked, and stopped when nobody waits any more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from transformers.utils import find_adapter_config_file, logging

from routesdk.errors import BackendError
from routesdk.host import attempt
from routesdk.plugins.local_model.gate import Gate
from routesdk.plugins.local_model.prompt import plain
from routesdk.turn import defuse, fold_system
from routesdk.types import Message

BACKEND = "transformers"

# `name` or `owner/name`, as the Hub spells them.
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


_GATE = Gate()


class LoadedModel:
    """A model in memory. Its methods are for one thread at a time.

    Only safetensors are read, and no code that lies beside them is run.

    Args:
        source: A folder or a Hub id, possibly with `@revision`.
        device: `auto`, or a device as torch names it.
        dtype: `auto`, or a type as torch names it.

    Raises:
        BackendError: There is no such model, or it cannot be loaded.
    """

    def __init__(self, source: str, *, device: str, dtype: str) -> None:
        self._source = source
        place, revision = _locate(source)
        with _GATE.alone():
            _, error = attempt(self._load, place, revision, _device(device), dtype)
        if error is not None:
            raise error if isinstance(error, BackendError) else _unloadable(source, error) from error

    def _load(self, place: str, revision: str | None, device: str, dtype: str) -> None:
        # An adapter's weights could be pickled, and its base model lies elsewhere.
        if find_adapter_config_file(place, revision=revision) is not None:
            problem = f"{self._source!r} is an adapter; merge it into its base model and save that"
            raise BackendError(BACKEND, problem)
        how = {"revision": revision, "trust_remote_code": False}
        with _no_bars():
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(place, **how)
            model = transformers.AutoModelForCausalLM.from_pretrained(
                place, dtype=dtype, use_safetensors=True, **how
            )
        # Not `all_special_tokens`, which leaves out marks that only the template uses.
        added = self._tokenizer.added_tokens_decoder.values()
        self._marks = [token.content for token in added if token.special]
        self._model = model.to(device).eval()
        settings = self._model.generation_config
        ends = settings.eos_token_id
        known = [*ends] if isinstance(ends, (list, tuple)) else [ends]
        self._ends = sorted({end for end in [*known, self._tokenizer.eos_token_id] if end is not None})
        self._sampling = {"top_p": settings.top_p or 1.0, "top_k": settings.top_k or 0}
        # What the model's makers would sample with must not leak into greedy answers.
        settings.update(do_sample=None, temperature=None, top_p=None, top_k=None, min_p=None, max_length=None)

    @property
    def has_template(self) -> bool:
        """Whether the tokenizer brings a chat template."""
        return self._tokenizer.chat_template is not None

    @property
    def context_tokens(self) -> int | None:
        """Tokens that prompt and answer may have together; None where the model names no limit."""
        limit = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        return limit if isinstance(limit, int) and limit > 0 else None

    def encode(self, turns: Sequence[Message]) -> list[int]:
        """Return the tokens of a prompt: by the model's chat template, or in the plain form without one.

        Raises:
            BackendError: The template refuses the conversation, or its text is no Unicode.
        """
        turns = defuse(turns, self._marks)
        text = self._rendered(turns) if self.has_template else plain(turns)
        # A template writes the token that begins a text by itself.
        tokens, error = attempt(self._tokens, text, not self.has_template)
        if tokens is None:
            raise BackendError(BACKEND, f"the prompt cannot be tokenised ({_line(error)})") from error
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without the tokenizer's own marks."""
        return str(
            self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def write(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        temperature: float,
        take: Callable[[int], bool],
    ) -> tuple[int, bool]:
        """Write an answer, token by token.

        Args:
            prompt: Tokens of the prompt.
            max_tokens: Cap on the tokens of the answer.
            temperature: Sampling temperature; 0 takes the likeliest token each time.
            take: Is given each token but the one that ends the answer, and tells
                whether to go on.

        Returns:
            How many tokens were written, the one that ends the answer included, and
            whether the model ended it by itself.

        Raises:
            BackendError: Memory ran out, or the model failed.
        """
        watch = _Watch(max_tokens, frozenset(self._ends), take)
        with _GATE.shared():
            _, error = attempt(self._generate, prompt, max_tokens, temperature, watch)
        if error is not None:
            raise _failed(error, len(prompt), max_tokens) from error
        return watch.written, watch.ended

    def _generate(self, prompt: Sequence[int], max_tokens: int, temperature: float, watch: _Watch) -> None:
        tokens = torch.tensor([list(prompt)], dtype=torch.long, device=self._model.device)
        padding = self._tokenizer.pad_token_id
        settings = transformers.GenerationConfig(
            max_new_tokens=max_tokens,
            num_beams=1,
            num_return_sequences=1,
            do_sample=temperature > 0,
            eos_token_id=self._ends or None,
            pad_token_id=padding if padding is not None else (self._ends or [0])[0],
            **({"temperature": temperature, **self._sampling} if temperature > 0 else {}),
        )
        with torch.inference_mode():
            self._model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                generation_config=settings,
                stopping_criteria=transformers.StoppingCriteriaList([watch]),
            )

    def _tokens(self, text: str, add_special_tokens: bool) -> list[int]:
        return [
            int(token) for token in self._tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"]
        ]

    def _rendered(self, turns: list[Message]) -> str:
        text, error = attempt(self._template, turns)
        if error is not None and turns[0].role == "system":
            text, error = attempt(self._template, fold_system(turns))
        if error is not None:
            problem = f"the chat template of {self._source!r} refuses the conversation ({_line(error)})"
            raise BackendError(BACKEND, problem) from error
        return str(text)

    def _template(self, turns: Sequence[Message]) -> str:
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


class _Watch:
    """Sees each new token, and says when to stop: a stopping criterion of transformers."""

    def __init__(self, max_tokens: int, ends: frozenset[int], take: Callable[[int], bool]) -> None:
        self._max_tokens = max_tokens
        self._ends = ends
        self._take = take
        self.written = 0
        self.ended = False
        self._over = False

    def __call__(self, tokens: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        # On a GPU a step or two may follow the last one before transformers looks.
        if not self._over:
            token = int(tokens[0, -1])
            self.written += 1
            self.ended = token in self._ends
            wanted = not self.ended and self._take(token)
            self._over = not wanted or self.written >= self._max_tokens
        return torch.full((tokens.shape[0],), self._over, device=tokens.device, dtype=torch.bool)

    def __deepcopy__(self, _: object) -> _Watch:
        # transformers may copy its criteria; what was seen must be seen here.
        return self


def _locate(source: str) -> tuple[str, str | None]:
    """Tell a folder from a Hub id, and that from its revision."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return str(folder), None
    name, _, revision = source.partition("@")
    if not _HUB_ID.fullmatch(name):
        problem = f"there is no folder {source!r}, and it is no id of the Hub"
        raise BackendError(BACKEND, f"{problem}: check the model's name, or its entry in `paths`")
    return name, revision or None


def _device(device: str) -> str:
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers from drawing its bars: a library does not print."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _line(error: Exception | None) -> str:
    """Return the first line of an error's text."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]


def _unloadable(source: str, error: Exception) -> BackendError:
    if _is_memory(error):
        problem = f"{source!r} does not fit into memory ({_line(error)}): take a smaller model or dtype"
    else:
        problem = f"{source!r} cannot be loaded ({_line(error)})"
    return BackendError(BACKEND, problem)


def _failed(error: Exception, prompt_tokens: int, max_tokens: int) -> BackendError:
    if not _is_memory(error):
        return BackendError(BACKEND, f"the model failed ({type(error).__name__}: {_line(error)})")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    problem = (
        f"memory ran out on a prompt of {prompt_tokens} tokens with up to {max_tokens} more "
        f"({_line(error)}): shorten it, lower max_output_tokens, or take a smaller model or dtype"
    )
    return BackendError(BACKEND, problem)


def _is_memory(error: Exception) -> bool:
    # On a CPU, torch raises a RuntimeError of this text.
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)
