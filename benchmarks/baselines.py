"""What routesdk is compared with: rankings that are fitted on the same rows, for one pair of models.

Each ranker takes the training texts with the quality of both models, and returns a
function from texts to expected gains. Qualities in [0, 1] that are no grades enter as
weights of both labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.metrics import apgr
from routesdk.pipeline.split import split

Floats = npt.NDArray[np.float64]
Ranker = Callable[[Sequence[str]], Floats]
Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]

NEIGHBOURS = 100
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Inverse penalties that are tried for logistic regression on embeddings."""


@attrs.frozen(kw_only=True, eq=False)
class Rows:
    """The training rows of one pair.

    Attributes:
        texts: Queries, (rows,).
        medium: Quality of the medium model, (rows,), 0 to 1.
        large: Quality of the large model, (rows,), 0 to 1.
    """

    texts: Sequence[str]
    medium: Floats
    large: Floats

    def take(self, chosen: npt.NDArray[np.int64]) -> Rows:
        """Return some of the rows."""
        texts = [self.texts[at] for at in chosen.tolist()]
        return Rows(texts=texts, medium=self.medium[chosen], large=self.large[chosen])


def fit_random(rows: Rows) -> Ranker:
    """Rank by nothing: equal scores count as the mean over all orders, which is 0.5 exactly."""
    return lambda texts: np.zeros(len(texts))


def fit_length(rows: Rows) -> Ranker:
    """Rank by characters: longer prompts go to the large model."""
    return lambda texts: np.array([float(len(text)) for text in texts])


def fit_tfidf(rows: Rows) -> Ranker:
    """Fit a logistic regression a model on words and pairs of words, and rank by the difference."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    found = vectorizer.fit_transform(rows.texts)
    medium, large = (_logistic(found, quality, 1.0) for quality in (rows.medium, rows.large))

    def rank(texts: Sequence[str]) -> Floats:
        seen = vectorizer.transform(texts)
        return large(seen) - medium(seen)

    return rank


def fit_neighbours(rows: Rows, embed: Embed) -> Ranker:
    """Rank by the mean gain of the nearest training queries, by cosine."""
    vectors = embed(rows.texts)
    gains = rows.large - rows.medium
    count = min(NEIGHBOURS, len(gains))

    def rank(texts: Sequence[str]) -> Floats:
        near = np.argpartition(-(embed(texts) @ vectors.T), count - 1, axis=1)[:, :count]
        return gains[near].mean(axis=1)

    return rank


def fit_embedding(rows: Rows, embed: Embed, seed: int) -> Ranker:
    """Fit a logistic regression a model on embeddings; its penalty is the best on held-out training rows."""
    parts = split(rows.texts, seed=seed, groups=np.arange(len(rows.texts)))
    fitting, judging = rows.take(parts.rows("train")), rows.take(parts.rows("test"))
    best = max(
        STRENGTHS,
        key=lambda strength: apgr(
            _embedding(fitting, embed, strength)(judging.texts), judging.medium, judging.large
        ),
    )
    return _embedding(rows, embed, best)


def _embedding(rows: Rows, embed: Embed, strength: float) -> Ranker:
    vectors = embed(rows.texts)
    medium, large = (_logistic(vectors, quality, strength) for quality in (rows.medium, rows.large))

    def rank(texts: Sequence[str]) -> Floats:
        seen = embed(texts)
        return large(seen) - medium(seen)

    return rank


def _logistic(found: object, quality: Floats, strength: float) -> Callable[[object], Floats]:
    """Fit P(correct); a quality between 0 and 1 is a row of each label, weighted."""
    import scipy.sparse
    from sklearn.linear_model import LogisticRegression

    rows = np.arange(len(quality))
    twice = np.concatenate([rows, rows])
    labels = np.repeat([1, 0], len(quality))
    weights = np.concatenate([quality, 1.0 - quality])
    kept = weights > 0
    chosen = twice[kept]
    design = found[chosen] if scipy.sparse.issparse(found) else np.asarray(found)[chosen]
    model = LogisticRegression(C=strength, max_iter=1000)
    model.fit(design, labels[kept], sample_weight=weights[kept])
    return lambda seen: np.asarray(model.predict_proba(seen)[:, 1], dtype=np.float64)
