"""From queries and decisions to tokens: the same ones when a router is trained and when it decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import TrainingError
from routesdk.host import attempt
from routesdk.pipeline.prepare import (
    DECISION_FIRST,
    POLICY_MARK,
    REASON_MARK,
    ask,
    one_line,
    plain,
    read_completion,
    turns,
)
from routesdk.turn import defuse, fold_system
from routesdk.types import Message, Policy, Query

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LEAST_QUERY_TOKENS = 16
REASON_TOKENS = 160
"""Tokens that a reason may take: three times what the longest of the heuristic analyst takes."""


@attrs.frozen(kw_only=True)
class Prompt:
    """The tokens of a prompt.

    Attributes:
        tokens: Up to where the reply begins.
        cut: Whether the query was too long, and was cut.
    """

    tokens: tuple[int, ...]
    cut: bool


@attrs.frozen(kw_only=True)
class Completion:
    """The tokens of a reply.

    Attributes:
        tokens: All of them, the one that ends it included.
        decision: For each token, whether it belongs to the policy's name or ends it.
    """

    tokens: tuple[int, ...]
    decision: tuple[bool, ...]


class Codec:
    """Writes prompts and replies as tokens.

    A reply is put together from pieces that are tokenised each by itself, so that
    a policy's name has the same tokens wherever it stands: what is scored is what
    was trained.

    Args:
        tokenizer: The base model's.
        policies: The policies.
        order: Which line of a reply comes first.
        max_tokens: Longest prompt and reply together.

    Raises:
        TrainingError: Instruction and reply alone leave no room for a query, or two
            policies' names have the same tokens.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        policies: Sequence[Policy],
        order: str,
        max_tokens: int,
    ) -> None:
        self.tokenizer = tokenizer
        self.policies = tuple(policies)
        self.order = order
        self.max_tokens = max_tokens
        self._marks = [each.content for each in tokenizer.added_tokens_decoder.values() if each.special]
        self.end = int(tokenizer.eos_token_id)
        self.labels = tuple(self._piece(POLICY_MARK, f" {policy.name}") for policy in self.policies)
        self.policy_open = self._piece("x", f"\n{POLICY_MARK}")
        self.reason_open = self._piece("x", f"\n{REASON_MARK}")
        first = POLICY_MARK if order == DECISION_FIRST else REASON_MARK
        self.opening = self._piece("", first)
        self.after_label = self.reason_open[0] if order == DECISION_FIRST else self.end
        if len(set(self.labels)) < len(self.labels):
            problem = "the tokenizer has no tokens for what tells the policies' names apart"
            raise TrainingError("generative", problem, "Take another base model, or name policies in ASCII.")
        self._room = self._room_for_queries()

    @property
    def has_template(self) -> bool:
        """Whether the tokenizer brings a chat template; without one, turns are parted by blank lines."""
        return self.tokenizer.chat_template is not None

    def prompt(self, query: Query) -> Prompt:
        """Return the tokens of a query's prompt; of one that is too long, the oldest turns are left out."""
        asked = ask(_defused(query, self._marks), self._room, self._count)
        return Prompt(tokens=tuple(self._rendered(asked.text)), cut=asked.cut)

    def completion(self, policy: str, reason: str) -> Completion:
        """Return the tokens of a decision and its reason."""
        label = self.labels[[each.name for each in self.policies].index(policy)]
        said = self.reason(reason)
        if self.order == DECISION_FIRST:
            parts = [(self.opening, False), (label, True), (self.reason_open[:1], True)]
            parts += [(self.reason_open[1:], False), (said, False), ((self.end,), False)]
        else:
            parts = [(self.opening, False), (said, False), (self.policy_open, False)]
            parts += [(label, True), ((self.end,), True)]
        return Completion(
            tokens=tuple(token for tokens, _ in parts for token in tokens),
            decision=tuple(decides for tokens, decides in parts for _ in tokens),
        )

    def completed(self, text: str) -> Completion:
        """Return the tokens of a completion in the strict form.

        Raises:
            PolicyParseError: It names no policy.
            ReasonParseError: It has no reason, or more than its line.
        """
        written = read_completion(text, [policy.name for policy in self.policies], self.order)
        return self.completion(written.policy, written.reason)

    def reason(self, reason: str) -> tuple[int, ...]:
        """Return the tokens of a reason, as many as may be written."""
        (line,) = defuse([Message("assistant", f" {one_line(reason)}")], self._marks)
        return self._piece(REASON_MARK, line.content)[:REASON_TOKENS]

    def before_reason(self, policy: str) -> tuple[int, ...]:
        """Return the tokens between a prompt and the reason of a policy that is decided."""
        if self.order != DECISION_FIRST:
            return self.opening
        label = self.labels[[each.name for each in self.policies].index(policy)]
        return (*self.opening, *label, *self.reason_open)

    def common_prefix(self) -> tuple[int, ...]:
        """Return the tokens that all prompts begin with; empty where there are none."""
        one, other = self._rendered("a"), self._rendered("9?")
        shared = 0
        while shared < min(len(one), len(other)) and one[shared] == other[shared]:
            shared += 1
        # The last shared token may join with what follows it in another query.
        return tuple(one[: max(0, shared - 1)])

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without the tokenizer's own marks."""
        text = self.tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)

    def _room_for_queries(self) -> int:
        empty = len(self._rendered(""))
        longest = max(len(label) for label in self.labels)
        reply = len(self.opening) + longest + len(self.reason_open) + len(self.policy_open) + 1
        room = self.max_tokens - empty - reply - REASON_TOKENS
        if room < _LEAST_QUERY_TOKENS:
            problem = (
                f"instruction and reply take {empty + reply + REASON_TOKENS} of {self.max_tokens} tokens"
            )
            raise TrainingError("generative", problem, "Raise max_tokens, or describe policies more briefly.")
        return room

    def _rendered(self, asked: str) -> list[int]:
        messages = turns(asked, self.policies, self.order)
        if not self.has_template:
            return self._tokens(plain(messages), special=True)
        text, error = attempt(self._template, messages)
        if error is not None:
            # Some templates, such as Gemma's, know no system turn.
            text, error = attempt(self._template, fold_system(messages))
        if error is not None:
            problem = f"the chat template refuses the prompt ({error})"
            raise TrainingError("generative", problem, "Take another base model.") from error
        # A template writes the token that begins a text by itself.
        return self._tokens(str(text), special=False)

    def _template(self, messages: Sequence[Message]) -> str:
        plain_turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        return str(
            self.tokenizer.apply_chat_template(plain_turns, tokenize=False, add_generation_prompt=True)
        )

    def _piece(self, before: str, text: str) -> tuple[int, ...]:
        """Return the tokens of a text as they follow another one."""
        start, whole = self._tokens(before), self._tokens(before + text)
        if whole[: len(start)] == start:
            return tuple(whole[len(start) :])
        return tuple(self._tokens(text))

    def _count(self, text: str) -> int:
        return len(self._tokens(text))

    def _tokens(self, text: str, *, special: bool = False) -> list[int]:
        # A lone surrogate has no UTF-8, and no token.
        known = text.encode("utf-8", "replace").decode("utf-8")
        return [int(token) for token in self.tokenizer(known, add_special_tokens=special)["input_ids"]]


def _defused(query: Query, marks: Sequence[str]) -> Query:
    (text,) = defuse([Message("user", query.text)], marks)
    return attrs.evolve(query, text=text.content, messages=tuple(defuse(query.messages, marks)))
