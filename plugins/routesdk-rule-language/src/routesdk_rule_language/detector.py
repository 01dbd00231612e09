"""The language of a text, by py3langid: the one module that imports it."""

from __future__ import annotations

from functools import cache

import attrs
from py3langid.langid import MODEL_FILE, LanguageIdentifier


@attrs.frozen(eq=False)
class Detector:
    """Names the language of a text; safe to share between threads.

    Attributes:
        languages: The codes that it can name.
    """

    _identifier: LanguageIdentifier
    languages: tuple[str, ...]

    def detect(self, text: str) -> tuple[str, float]:
        """Return the likeliest language and its probability, 0.0 to 1.0."""
        language, confidence = self._identifier.classify(text)
        return str(language), float(confidence)

    def __reduce__(self) -> tuple[object, ...]:
        # The model has over a hundred megabytes once it is read: another process reads its own.
        return load_detector, ()


@cache
def load_detector() -> Detector:
    """Read the model that comes with py3langid, once a process."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return Detector(identifier, tuple(sorted(identifier.labels)))
