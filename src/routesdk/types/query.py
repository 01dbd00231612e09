"""What a user asks: text, or a conversation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs

from routesdk.errors import InvalidQueryError
from routesdk.types.frozen import FrozenMapping, frozen

ROLES = ("system", "user", "assistant", "tool")


@attrs.frozen
class Message:
    """One turn of a conversation.

    Attributes:
        role: `system`, `user`, `assistant` or `tool`.
        content: The turn's text.
    """

    role: str
    content: str

    def __attrs_post_init__(self) -> None:
        if self.role not in ROLES:
            raise InvalidQueryError(f"a message's role is {self.role!r}", f"Use one of {', '.join(ROLES)}.")
        if not isinstance(self.content, str):
            raise InvalidQueryError(f"a message's content is {type(self.content).__name__}, not a string")


def _query_id(query: Query) -> str:
    # Lone surrogates cannot be encoded as UTF-8, but such a query still has an identity.
    digest = hashlib.blake2b(query.text.encode("utf-8", "surrogatepass"), digest_size=8)
    for message in query.messages:
        turn = f"\x00{message.role}\x00{message.content}"
        digest.update(turn.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


# Most queries have none of these; one object each makes that a comparison, since queries are made per call.
_NO_MESSAGES: tuple[Message, ...] = ()
_NO_TAGS: frozenset[str] = frozenset()
_NO_METADATA: FrozenMapping[str, str] = FrozenMapping()


def _turns(messages: object) -> tuple[Message, ...]:
    if isinstance(messages, (str, Mapping)) or not isinstance(messages, Sequence):
        raise InvalidQueryError(f"its messages are {type(messages).__name__}, not a tuple of Message")
    for message in messages:
        if not isinstance(message, Message):
            problem = f"its messages hold {type(message).__name__}, not Message"
            raise InvalidQueryError(problem, "Give Message objects, or the list of mappings to Query.of.")
    return tuple(messages)


def _tags(tags: Iterable[str]) -> frozenset[str]:
    if tags is _NO_TAGS:
        return _NO_TAGS
    if isinstance(tags, (str, Mapping)) or not isinstance(tags, Iterable):
        raise InvalidQueryError(f"tags are {tags!r}", "Give a set of strings.")
    given = tuple(tags)
    if not all(isinstance(tag, str) for tag in given):
        raise InvalidQueryError(f"tags are {tags!r}", "Give a set of strings.")
    return frozenset(given)


def _metadata(metadata: Mapping[str, str]) -> FrozenMapping[str, str]:
    if metadata is _NO_METADATA:
        return _NO_METADATA
    if not isinstance(metadata, Mapping):
        raise InvalidQueryError(f"its metadata is {type(metadata).__name__}, not a mapping of strings")
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            problem = f"its metadata holds {type(value).__name__} at {key!r}"
            raise InvalidQueryError(problem, "Give strings for keys and values, such as JSON text.")
    return frozen(metadata)


@attrs.frozen
class Query:
    """A question to be routed.

    Attributes:
        text: The question; for a conversation, its last user turn. Not blank.
        messages: The whole conversation, oldest turn first; empty for a lone question.
        tags: Labels that rules may look at.
        metadata: Anything else that the caller wants to find again in logs.
        id: A 64-bit hash of text and messages in hex, unless the caller gives one.
    """

    text: str
    messages: tuple[Message, ...] = _NO_MESSAGES
    tags: frozenset[str] = attrs.field(default=_NO_TAGS, converter=_tags, kw_only=True)
    metadata: Mapping[str, str] = attrs.field(default=_NO_METADATA, converter=_metadata, kw_only=True)
    id: str = attrs.field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InvalidQueryError(f"its text is {type(self.text).__name__}, not a string")
        if not self.text or self.text.isspace():
            raise InvalidQueryError("its text is blank")
        if self.messages is not _NO_MESSAGES:
            object.__setattr__(self, "messages", _turns(self.messages))
        if not isinstance(self.id, str):
            raise InvalidQueryError(
                f"its id is {type(self.id).__name__}, not a string", "Give text, or none."
            )
        if not self.id:
            object.__setattr__(self, "id", _query_id(self))

    @classmethod
    def of(cls, value: QueryLike, *, tags: Iterable[str] = _NO_TAGS) -> Query:
        """Turn a string, a query or a list of messages into a query.

        Args:
            value: A string; a `Query`; or a conversation, as `Message` objects
                or mappings with `role` and `content`.
            tags: Labels to add.

        Raises:
            InvalidQueryError: The value is none of these, is blank, or is a
                conversation without a user turn.
        """
        if isinstance(value, str):
            return cls(value, tags=tags)
        if isinstance(value, Query):
            return attrs.evolve(value, tags=value.tags | _tags(tags)) if tags else value
        if not isinstance(value, Sequence) or isinstance(value, (bytes, bytearray)):
            raise InvalidQueryError(f"{type(value).__name__} given")
        messages = tuple(_message(item) for item in value)
        for message in reversed(messages):
            if message.role == "user":
                return cls(message.content, messages, tags=tags)
        raise InvalidQueryError("the conversation has no user turn")


QueryLike: TypeAlias = str | Query | Sequence[Message | Mapping[str, str]]


def _message(item: object) -> Message:
    if isinstance(item, Message):
        return item
    if isinstance(item, Mapping) and set(item) >= {"role", "content"}:
        return Message(item["role"], item["content"])
    raise InvalidQueryError(f"the conversation holds {type(item).__name__} {str(item)[:40]!r}, not a message")
