"""The web endpoint: one question in, the record of its decision out."""

from __future__ import annotations

import json
import logging
import os
import threading
from functools import cache

from routesdk.errors import ConfigError, InvalidQueryError
from routesdk.host import attempt
from routesdk.pipeline.routing import decide_row, shelved
from routesdk.plugins.serverless.layout import ENDPOINT_ENV, EXPLAIN_ENV
from routesdk.router import Router

logger = logging.getLogger("routesdk")

# A question of a megabyte is a book; what is longer is no question.
_INPUT_BYTES = 1_000_000
_ID_CHARACTERS = 256

_loading = threading.Lock()


@cache
def _loaded(name: str) -> Router:
    return Router.from_pretrained(shelved(name))


def serving_router() -> Router:
    """Return the router of this container, loaded once: it is immutable, and serves every request."""
    # Requests come at once from the first on, and a router may be gigabytes.
    with _loading:
        return _loaded(os.environ.get(ENDPOINT_ENV, "default"))


def decide(asked: dict[str, object]) -> object:
    """Decide one query that came over the web.

    Args:
        asked: An object with `query` or `messages`, and optionally `id`, `tags`, `large_share` and `explain`.

    Returns:
        The record that `routesdk route --json` writes.

    Raises:
        fastapi.HTTPException: 422: it is no query, has a key that is not known, or wants an explanation where
            none is given; the detail says which. 413: it is too long. 503: there is no router.
    """
    # In the image, and not on every machine that the app is deployed from.
    from fastapi import HTTPException, Response

    if refusal := _refusal(asked):
        raise HTTPException(*refusal)
    router, error = attempt(serving_router)
    if router is None:
        # The fault of whoever deployed it: the details are for the log, and not for who asks.
        logger.error("the router cannot be loaded", exc_info=error)
        raise HTTPException(503, "The router cannot be loaded; the app's log says why.") from error
    try:
        record = decide_row(router, asked)
    except (InvalidQueryError, ConfigError) as error:
        raise HTTPException(status_code=422, detail=str(error)) from error
    # JSON's own ASCII, as everywhere: an id may hold what UTF-8 cannot.
    return Response(json.dumps(record), media_type="application/json")


def _refusal(asked: dict[str, object]) -> tuple[int, str] | None:
    """Return the status and the sentence for what is not even looked at."""
    if len(json.dumps(asked)) > _INPUT_BYTES:
        return 413, f"The request is longer than {_INPUT_BYTES} bytes of JSON. Send a shorter query."
    name = asked.get("id")
    if isinstance(name, str) and len(name) > _ID_CHARACTERS:
        return 422, f"The id is longer than {_ID_CHARACTERS} characters. Send a shorter one."
    if asked.get("explain") and os.environ.get(EXPLAIN_ENV) != "1":
        return 422, "This endpoint does not explain. Leave 'explain' out, or deploy it with explain = true."
    return None
