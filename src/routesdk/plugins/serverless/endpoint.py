"""The web endpoint: one question in, the record of its decision out."""

from __future__ import annotations

import json
import os
import threading
from functools import cache

from routesdk.errors import ConfigError, InvalidQueryError
from routesdk.pipeline.routing import decide_row, shelved
from routesdk.plugins.serverless.layout import ENDPOINT_ENV
from routesdk.router import Router

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
        fastapi.HTTPException: 422: it is no query, or has a key that is not known; the detail says which.
    """
    # In the image, and not on every machine that the app is deployed from.
    from fastapi import HTTPException, Response

    try:
        record = decide_row(serving_router(), asked)
    except (InvalidQueryError, ConfigError) as error:
        raise HTTPException(status_code=422, detail=str(error)) from error
    # JSON's own ASCII, as everywhere: an id may hold what UTF-8 cannot.
    return Response(json.dumps(record), media_type="application/json")
