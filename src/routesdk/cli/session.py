"""One session of `routesdk chat`: what questions and commands do, and the block that each question gives."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs

from routesdk.cli.console import console, plain, printable
from routesdk.cli.route import decision_table
from routesdk.cli.session_table import budget_lines, history_lines, model_lines, rule_lines
from routesdk.errors import ConfigError
from routesdk.router import Router
from routesdk.terms import AnswerOptions
from routesdk.types import Answer, Decision, Message, Query, Stage

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "/why": "all of the last decision: probabilities, thresholds, every rule, the reason",
        "/rules": "the rules in their order, with their options",
        "/models": "tiers, policies and further models, with prices and backends",
        "/budget": "what is set and spent; /budget 5 sets 5 US dollars, /budget off takes it away",
        "/history": "the questions so far",
        "/new": "begin another conversation",
        "/help": "this list",
        "/quit": "leave",
    }
)
"""What can be typed beside questions → what it does."""

_INDENT = " " * 12


class Session:
    """Takes one line after another.

    Args:
        router: Decides, and answers.
        answers: Whether models are asked; otherwise questions are decided alone.
        conversation: Whether questions are turns of one conversation.
        echo: Whether a block begins with its question: on a terminal it stands there already.
        terms: On which terms questions are answered.
    """

    def __init__(
        self,
        router: Router,
        *,
        answers: bool = False,
        conversation: bool = False,
        echo: bool = True,
        terms: AnswerOptions | None = None,
    ) -> None:
        self.left = False
        self._router = router
        self._answers = answers
        self._conversation = conversation
        self._echo = echo
        self._terms: AnswerOptions = {} if terms is None else terms
        self._turns: tuple[Message, ...] = ()
        self._past: list[tuple[Query, Decision]] = []

    def take(self, text: str) -> None:
        """Do what a line asks for: a question, or a command that begins with a slash.

        Two slashes begin a question with one.

        Raises:
            RouteSDKError: There is no such command, or the question cannot be decided or answered.
        """
        if text.startswith("//"):
            self._ask(text[1:])
        elif text.startswith("/"):
            name, _, argument = text.partition(" ")
            self._obey(name.lower(), argument.strip())
        else:
            self._ask(text)

    def _obey(self, name: str, argument: str) -> None:
        known: dict[str, Callable[[], object]] = {
            "/why": self._why,
            "/rules": lambda: _print(rule_lines(self._router)),
            "/models": lambda: _print(model_lines(self._router)),
            "/budget": lambda: self._budget(argument),
            "/history": lambda: _print(history_lines(self._past)),
            "/new": self._forget,
            "/help": lambda: _print([f"{name:12}{what}" for name, what in COMMANDS.items()]),
            "/quit": self._leave,
            "/exit": self._leave,
        }
        if name not in known:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            fix = f"Did you mean {near[0]}?" if near else "/help lists what there is."
            raise ConfigError("command", name, "is not known", f"{fix} Two slashes begin a question.")
        if argument and name != "/budget":
            raise ConfigError(name, argument, "takes nothing behind it", f"Write {name} alone.")
        known[name]()

    def _ask(self, text: str) -> None:
        query = Query.of((*self._turns, Message("user", text)) if self._conversation else text)
        try:
            if self._echo:
                _print([printable(text)])
            if self._answers:
                answer = self._answer(query)
            else:
                decision, answer = self._router.route(query, explain=True), None
                self._past.append((query, decision))
                _print([*_decided(decision), _estimated(decision)])
        finally:
            # A block ends with an empty line, whatever became of it.
            sys.stdout.write("\n")
        if self._conversation:
            said = () if answer is None else (Message("assistant", answer.text),)
            self._turns = (*self._turns, Message("user", text), *said)

    def _answer(self, query: Query) -> Answer:
        """Answer a question; its text arrives as the model writes it, below the decision."""
        with self._router.stream(query, **self._terms) as pieces:
            # Whatever becomes of the answer, /why and /history tell what was decided.
            at = len(self._past)
            self._past.append((query, pieces.decision))
            _print(_decided(self._router.explain(query, pieces.decision)))
            said = False
            try:
                for piece in pieces:
                    # Behind line breaks stand blanks: no line of a block is empty.
                    text = plain(piece.text).replace("\n", f"\n{_INDENT}")
                    sys.stdout.write(text if said else f"{'answer':12}{text}" if text else "")
                    said = said or bool(text)
                    sys.stdout.flush()
            finally:
                sys.stdout.write("\n" if said else "")
            answer = pieces.answer
            assert answer is not None
            if not said:
                _print([f"{'answer':12}(empty)"])
            _print([*_fallbacks(pieces.decision), f"{'cost':12}{_paid(answer)}"])
            # It holds the models that were fallen back to.
            self._past[at] = (query, pieces.decision)
            return answer

    def _why(self) -> None:
        if not self._past:
            raise ConfigError("/why", "nothing", "nothing was asked yet", "Type a question first.")
        query, decision = self._past[-1]
        console().print(decision_table(query, self._router.explain(query, decision)))

    def _budget(self, argument: str) -> None:
        if argument == "off":
            rules = tuple(rule for rule in self._router.mapping.rules if rule.name != "cost-budget")
            mapping = attrs.evolve(self._router.mapping, rules=rules)
            self._router = attrs.evolve(self._router, mapping=mapping)
        elif argument:
            self._router = self._router.with_budget(argument)
        _print(budget_lines(self._router))

    def _forget(self) -> None:
        if not self._conversation:
            problem, fix = "every question stands alone already", "Start with --conversation."
            raise ConfigError("/new", "given", problem, fix)
        self._turns = ()
        _print(["another conversation begins"])

    def _leave(self) -> None:
        self.left = True


def _decided(decision: Decision) -> list[str]:
    """Say policy, confidence, model, rules and reason, a line each; no line is empty."""
    policy = printable(decision.policy)
    others = ", ".join(
        f"{name} {share:.0%}" for name, share in decision.probabilities.items() if name != decision.policy
    )
    lines = [
        f"{'policy':12}[bold]{policy}[/] (tier {printable(decision.tier)})",
        f"{'confidence':12}{decision.confidence:.0%}; {printable(others)}",
        f"{'model':12}[bold green]{printable(decision.model)}[/]",
    ]
    rules = [step for step in decision.trace if step.stage is not Stage.DEFAULT]
    for number, step in enumerate(rules):
        fate = f", overruled: {step.chosen} stays" if step.overruled else ""
        text = f"{step.source} ({step.stage.value}): {step.model}, since {step.reason}{fate}"
        lines.append(f"{'' if number else 'rules':12}{printable(text)}")
    if not rules:
        lines.append(f"{'rules':12}none fired")
    reason = " ".join((decision.explanation or "").split()) or "none is given"
    lines.append(f"{'reason':12}{printable(reason)}")
    return lines + [f"{'notice':12}[yellow]{printable(notice)}[/]" for notice in decision.notices]


def _estimated(decision: Decision) -> str:
    cost = decision.estimated_cost_usd
    shown = "unknown" if cost is None else f"${cost:.6f}"
    return f"{'estimate':12}{shown}, {printable(decision.cost_note)}"


def _print(lines: list[str]) -> None:
    out = console()
    for line in lines:
        out.print(line, soft_wrap=True)
    # What is written past the console comes after it.
    sys.stdout.flush()


def _fallbacks(decision: Decision) -> list[str]:
    return [
        f"{'fallback':12}{printable(f'{step.model}, since {step.reason}')}"
        for step in decision.trace
        if step.stage is Stage.FALLBACK
    ]


def _paid(answer: Answer) -> str:
    usage = answer.usage
    cost = "unknown" if usage.cost_usd is None else f"${usage.cost_usd:f}"
    tokens = ", ".join(
        f"{'?' if count is None else f'{count:,}'} tokens {way}"
        for way, count in (("in", usage.input_tokens), ("out", usage.output_tokens))
    )
    return f"{cost}, {tokens}, by {printable(answer.model)}"
