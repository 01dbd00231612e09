"""The contract checks of parts that ask a model, and leave the call to whoever pays."""

from __future__ import annotations

from routesdk.protocols import PromptedAnalyst, PromptedJudge
from routesdk.testing.samples import describe, odd_queries
from routesdk.testing.verdict import broken, call, parameters, require, sentence
from routesdk.types import Answer, PartConfig, Query, Request, Unscored, Verdict

_ASKS = "request returns a Request with a cap on its output, so that its worst case is known"
_UNREADABLE = (
    "",
    "CORRECT",
    "Surely this is CORRECT, and not INCORRECT.",
    "{",
    "[1, 2]",
    '{"grade": "GOOD"}',
)


def check_prompted_judge(judge: PromptedJudge) -> None:
    """Check the half of a judge that writes requests and reads replies.

    The request must hold question, reference and answer, be the same each time,
    and have a cap; and a reply without a grade must never be read as one.

    Args:
        judge: The judge; no call is made.

    Raises:
        AssertionError: A promise is broken; the text says which.
    """
    blind = "a judge is blind: request(question, reference, answer), and no way in for anything else"
    given = parameters(judge.request)
    require(given == ("question", "reference", "answer"), judge, f"takes ({', '.join(given)})", blind)
    _check_part(judge)
    texts = ("Which question is 4711?", "reference 0815", "answer 1234")
    request = call(judge, "from request", _ASKS, judge.request, *texts)
    _check_request(judge, request)
    again = call(judge, "from request", _ASKS, judge.request, *texts)
    require(again == request, judge, "writes another request the second time", "equal rows make equal calls")
    for text in texts:
        promise = "the request holds question, reference and answer"
        require(text in request.query.text, judge, f"leaves {text!r} out of its request", promise)
    for query in odd_queries():
        call(judge, f"on {describe(query)}", _ASKS, judge.request, query.text, "a reference", query.text)
    for text in _UNREADABLE:
        promise = "read returns Unscored where no grade can be read, and never guesses"
        said = call(judge, f"on the reply {text!r}", promise, judge.read, Answer(text=text, model="m"), "x")
        if isinstance(said, Verdict) or not isinstance(said, Unscored):
            raise broken(judge, f"reads {said!r} from the reply {text!r}", promise)


def check_prompted_analyst(analyst: PromptedAnalyst) -> None:
    """Check the half of an analyst that writes requests and reads replies.

    Args:
        analyst: The analyst; no call is made.

    Raises:
        AssertionError: A promise is broken; the text says which.
    """
    given = parameters(analyst.request)
    promise = "a reason comes from the query alone: request(query)"
    require(given == ("query",), analyst, f"takes ({', '.join(given)})", promise)
    _check_part(analyst)
    query = Query("Which question is 4711?")
    request = call(analyst, "from request", _ASKS, analyst.request, query)
    _check_request(analyst, request)
    require("4711" in request.query.text, analyst, "leaves the query out of its request", promise)
    for odd in odd_queries():
        call(analyst, f"on {describe(odd)}", _ASKS, analyst.request, odd)
    for text in ("", "It asks for a number."):
        said = call(analyst, f"on the reply {text!r}", "read returns a text", analyst.read, _reply(text))
        require(isinstance(said, str), analyst, f"reads {said!r}", "read returns a text, empty for none")


def _reply(text: str) -> Answer:
    return Answer(text=text, model="m")


def _check_part(part: PromptedJudge | PromptedAnalyst) -> None:
    backend = part.backend
    promise = "backend is the PartConfig of the backend that the model is asked through"
    require(isinstance(backend, PartConfig), part, f"has the backend {backend!r}", promise)
    promise = "prompt_version is a text that changes with the wording"
    require(sentence(part.prompt_version), part, f"has the version {part.prompt_version!r}", promise)


def _check_request(part: object, request: object) -> None:
    if not isinstance(request, Request):
        raise broken(part, f"returns {type(request).__name__} from request", _ASKS)
    require(request.max_output_tokens is not None, part, "sets no cap on the output", _ASKS)
