"""The rule that looks for words."""

from __future__ import annotations

import attrs
from attrs.validators import min_len

from routesdk.lexicon import Lexicon
from routesdk.types import Proposal, RouteContext

# Words and phrases that stand in work where a slip spoils the whole answer: programs, proofs,
# law. Left out are words that are as common elsewhere: `code` alone (of an area, of Morse, of
# conduct), `proof` alone (of rum), `java` and `rust`, `contract`, Japanese 証明 (also a certificate)
# and コード (it would be found in バーコード and レコード).
_HARD_WORK = (
    *("python", "javascript", "typescript", "c++", "c#", "sql", "regex", "source code", "pseudocode"),
    *("write code", "writing code", "this code", "my code", "following code", "code that"),
    *("code to", "code snippet", "code review", "debug", "refactor", "unit test", "unit tests"),
    *("stack trace", "algorithm", "algorithms", "dynamic programming"),
    *("prove that", "proof that", "proof of the", "prove the", "disprove", "theorem", "theorems", "lemma"),
    *("case law", "legal opinion", "breach of contract", "statute", "statutes", "tort"),
    *("código fuente", "este código", "algoritmo", "demuestra que", "demuestre que", "teorema"),
    *("algorithme", "code source", "ce code", "démontrer", "démontrez", "théorème", "jurisprudence"),
    *("Algorithmus", "Quellcode", "beweise, dass", "beweisen", "Satz von", "Rechtsprechung"),
    *("исходный код", "напиши код", "алгоритм", "докажи", "докажите", "теорема"),
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
        words: Words or phrases; by default, signs of programming, proof and
            law in ten languages. `code` alone is none, `this code` is.
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
