"""What an encoder reads of a query: as many tokens as it was made for, counted by its own tokenizer."""

from __future__ import annotations

from tokenizers import Tokenizer

from routesdk.heads.reading import read
from routesdk.types import Query

# Longer texts are cut before they are tokenised, which would take seconds for a megabyte. Hardly any
# text has so many characters a token, so that what fits is not cut here.
_CHARACTERS_A_TOKEN = 16
_BETWEEN = "\n"


class Reader:
    """Cuts queries to what an encoder reads. Safe to share between threads.

    Args:
        tokenizer: The encoder's; it is kept, and must be nobody else's.
        max_tokens: Tokens that the encoder reads, its own marks included.
        prompt: What the encoder puts before each text.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, prompt: str = "") -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        marks = tokenizer.num_special_tokens_to_add(False)
        taken = marks + len(tokenizer.encode(prompt, add_special_tokens=False).ids)
        self._room = max(1, max_tokens - taken)
        self._characters = _CHARACTERS_A_TOKEN * max_tokens

    def read(self, query: Query) -> tuple[str, bool]:
        """Return the text to encode, and whether something was left out.

        Of a conversation, the turns before the last question go first, the oldest of
        them first; of a question that is too long, the middle goes.
        """
        text, cut = read(query, self._characters)
        text = _encodable(text)
        spans = self._spans(text)
        if len(spans) <= self._room:
            return text, cut
        if len(query.messages) > 1:
            question = _encodable(read(Query(query.text), self._characters)[0])
            own = self._spans(question)
            if len(own) <= self._room:
                return text[spans[len(spans) - self._room][0] :], True
            text, spans = question, own
        # What is asked stands at the beginning or at the end of a long prompt, less often in the middle.
        head = max(1, self._room * 3 // 4)
        tail = self._room - head - 1
        end = text[spans[len(spans) - tail][0] :] if tail > 0 else ""
        return text[: spans[head - 1][1]] + _BETWEEN + end, True

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return where each token begins and ends."""
        spans: list[tuple[int, int]] = self.tokenizer.encode(text, add_special_tokens=False).offsets
        return spans


def _encodable(text: str) -> str:
    # Lone surrogates are no Unicode, and tokenizers refuse them.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
