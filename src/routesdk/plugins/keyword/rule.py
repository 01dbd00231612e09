"""The rule that looks for words."""

from __future__ import annotations

import attrs
from attrs.validators import min_len

from routesdk.lexicon import Lexicon
from routesdk.types import Proposal, RouteContext

# Words that mostly stand in work where a slip spoils the whole answer: programs, proofs, law.
# Left out are words that are as common elsewhere: `java` and `rust`, `contract`, `証明` (also
# a certificate), `コード` (it would be found in バーコード and レコード).
_HARD_WORK = (
    *("code", "python", "javascript", "typescript", "c++", "c#", "sql", "regex", "source code"),
    *("algorithm", "algorithms", "debug", "refactor", "unit test", "unit tests", "stack trace"),
    *("prove", "proof", "theorem", "theorems", "lemma"),
    *("case law", "legal opinion", "breach of contract", "statute", "statutes", "tort"),
    *("código", "código fuente", "algoritmo", "demuestra", "teorema"),
    *("algorithme", "code source", "démontrer", "démontrez", "théorème", "jurisprudence"),
    *("Algorithmus", "Quellcode", "beweise", "Beweis", "Satz von", "Rechtsprechung"),
    *("код", "алгоритм", "докажи", "докажите", "теорема"),
    *("代码", "算法", "定理", "编程", "ソースコード", "アルゴリズム", "プログラミング"),
    *("코드", "알고리즘", "خوارزمية", "एल्गोरिदम"),
)


@attrs.frozen(kw_only=True)
class Keyword:
    """Choose `model` for queries that have one of `words`.

    Words are found whole, whatever their case or compatibility form, and a
    phrase across any white space. Other forms of a word are other words: list
    them. In scripts that put no blanks between words, such as Chinese, Japanese,
    Thai, Lao or Khmer, a word is found anywhere.

    Attributes:
        words: Words or phrases; by default, signs of programming, proof
            and law in ten languages.
        model: The model to propose.

    Raises:
        ConfigError: There is no word, or one is blank.
    """

    words: tuple[str, ...] = attrs.field(default=_HARD_WORK)
    model: str = attrs.field(validator=min_len(1))
    _lexicon: Lexicon = attrs.field(init=False, repr=False, eq=False)

    @_lexicon.default
    def _prepare(self) -> Lexicon:
        return Lexicon(self.words)

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model where the query has one of the words."""
        word = self._lexicon.find(context.query.text)
        return None if word is None else Proposal(self.model, f"the query has the word {word!r}")
