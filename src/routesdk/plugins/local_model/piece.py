"""From tokens to pieces of text that joined are the answer: no character is cut, no stop text gets out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# What an incomplete character decodes to, until its last byte has come.
_INCOMPLETE = "\ufffd"
# Decoding all tokens again for each new one would take time that grows with the square of their number.
_LONGEST_WINDOW, _KEPT = 64, 8


class Pieces:
    """Turn tokens into text as they come.

    Args:
        decode: Turns tokens into text.
        stop: Text at which the answer ends, itself left out; empty for none.
        strip: Whether to leave out blanks before the first word.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], *, stop: str = "", strip: bool = False
    ) -> None:
        self._decode = decode
        self._stop = stop
        self._strip = strip
        self._window: list[int] = []
        self._decoded = ""
        self._held = ""
        self.stopped = False
        """Whether the stop text has come; nothing follows it."""

    def add(self, token: int) -> str:
        """Take a token, and return the text that is certain by now, possibly none."""
        self._window.append(token)
        text = self._decode(self._window)
        # Some decoders change what stands before: wait until it is settled.
        if text.endswith(_INCOMPLETE) or not text.startswith(self._decoded):
            return ""
        piece = self._pass(text[len(self._decoded) :])
        self._decoded = text
        if len(self._window) > _LONGEST_WINDOW:
            # Tokens that stay give the next one its context, such as the blank before a word.
            self._window = self._window[-_KEPT:]
            self._decoded = self._decode(self._window)
        return piece

    def finish(self) -> str:
        """Return what is left when no token follows."""
        rest = self._pass(self._decode(self._window)[len(self._decoded) :])
        return rest if self.stopped else rest + self._held

    def _pass(self, text: str) -> str:
        """Return the part of the text that cannot belong to the stop text, and hold the rest."""
        if self.stopped:
            return ""
        text = self._held + text
        if self._strip:
            text = text.lstrip()
            self._strip = not text
        self._held = ""
        if not self._stop:
            return text
        before, found, _ = text.partition(self._stop)
        if found:
            self.stopped = True
            return before
        longest = min(len(text), len(self._stop) - 1)
        size = next((n for n in range(longest, 0, -1) if self._stop.startswith(text[-n:])), 0)
        if size:
            self._held = text[-size:]
            return text[:-size]
        return text
