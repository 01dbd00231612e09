"""The rule that looks for mathematics."""

from __future__ import annotations

import attrs
from attrs.validators import min_len

from routesdk.lexicon import Lexicon
from routesdk.plugins.math.expression import find_expression
from routesdk.types import Proposal, RouteContext

# Terms that hardly occur outside mathematics. Left out are those that do: "integral" alone
# (an integral part), "limit", "matrix", "probability", Chinese 积分 (also loyalty points),
# Korean 소수 (also a minority).
_TERMS = (
    *("derivative", "derivatives", "integral of", "definite integral", "antiderivative", "integrals"),
    *("eigenvalue", "eigenvalues", "eigenvector", "eigenvectors", "determinant of", "matrix multiplication"),
    *("prime number", "prime numbers", "prime factor", "prime factors", "prime factorization"),
    *("square root", "cube root", "logarithm", "polynomial", "polynomials", "quadratic equation"),
    *("differential equation", "differential equations", "solve for x", "hypotenuse", "cosine"),
    *("standard deviation", "permutations", "binomial coefficient", "factorial", "modulo"),
    *("greatest common divisor", "least common multiple", "geometric series", "arithmetic", "algebra"),
    *("calculus", "trigonometry"),
    *("derivada", "autovalor", "número primo", "números primos", "raíz cuadrada", "ecuación", "ecuaciones"),
    *("polinomio", "logaritmo", "desviación estándar"),
    *("dérivée", "intégrale", "valeur propre", "valeurs propres", "nombre premier", "nombres premiers"),
    *("racine carrée", "équation", "équations", "polynôme", "logarithme", "écart type"),
    *("Ableitung", "Eigenwert", "Eigenwerte", "Primzahl", "Primzahlen", "Primfaktor", "Primfaktoren"),
    *("Primfaktorzerlegung", "Quadratwurzel", "Gleichung", "Gleichungen", "Logarithmus"),
    *("Standardabweichung", "Polynom"),
    *("raiz quadrada", "equação", "equações", "polinômio"),
    *("derivata", "autovalore", "numero primo", "numeri primi", "radice quadrata", "equazione"),
    *("производная", "производную", "интеграл", "уравнение", "уравнения", "собственное значение"),
    *("простое число", "простые числа", "квадратный корень", "логарифм", "многочлен"),
    *("导数", "定积分", "不定积分", "微分方程", "特征值", "质因数", "素数", "质数"),
    *("平方根", "方程", "多项式", "对数"),
    *("導數", "特徵值", "質因數", "質數", "多項式"),
    *("微分", "積分", "固有値", "素因数", "対数"),
    *("미분", "적분", "고유값", "소인수분해", "제곱근", "방정식", "다항식"),
    *("مشتقة", "تكامل", "معادلة", "جذر تربيعي", "समीकरण", "वर्गमूल", "अभाज्य संख्या"),
)


@attrs.frozen(kw_only=True)
class Math:
    """Choose `model` for queries that hold mathematics.

    Mathematics is arithmetic ("12 * 34", "3/4 + 5", "2^10", "15 % of 240"),
    algebra ("2x + 3 = 7"), LaTeX, signs such as √ and ∑, or a term. Dates,
    telephone numbers, spans of years, versions, scores and addresses of web
    pages are none: a bare "3-1" or "9/11" says nothing, "100-37 =" does.

    Attributes:
        terms: Words and phrases that tell of mathematics, found as the rule
            `keyword` finds its words; by default, terms in twelve languages.
        model: The model to propose.

    Raises:
        ConfigError: There is no term, or one is blank.
    """

    terms: tuple[str, ...] = attrs.field(default=_TERMS)
    model: str = attrs.field(validator=min_len(1))
    _lexicon: Lexicon = attrs.field(init=False, repr=False, eq=False)

    @_lexicon.default
    def _prepare(self) -> Lexicon:
        return Lexicon(self.terms, key="terms")

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model where the query holds an expression or a term."""
        text = context.query.text
        expression = find_expression(text)
        if expression is not None:
            return Proposal(self.model, f"the query has mathematics: {expression!r}")
        term = self._lexicon.find(text)
        return None if term is None else Proposal(self.model, f"the query has the term {term!r}")
