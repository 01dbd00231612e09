"""litellm, imported so that it neither asks the network nor prints, with its connections closed in time."""

from __future__ import annotations

import asyncio
import inspect
import os

# Read when it is imported: its price table is then the one that it came with, and nothing is downloaded.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from routesdk.connection import LoopClients

__all__ = ("clients", "litellm")

# It would print where to ask for help with each error.
litellm.suppress_debug_info = True


def _own_suffix() -> str:
    """Return what the keys of the running loop's clients end with in litellm's cache."""
    return str(litellm.in_memory_llm_clients_cache.update_cache_key_with_event_loop(""))


async def _close(suffix: str) -> None:
    # It notes calls down in the background, and would complain of the rest in the next loop.
    await GLOBAL_LOGGING_WORKER.clear_queue()
    held = litellm.in_memory_llm_clients_cache.cache_dict
    for key in [each for each in held if suffix and each.endswith(suffix)]:
        closing = held.pop(key).close()
        if inspect.isawaitable(closing):
            await closing
    # Some providers share a handler between loops; its session is of one of them, made anew in the next.
    loop = asyncio.get_running_loop()
    for handler in [*held.values(), vars(litellm).get("module_level_aclient")]:
        transport = getattr(getattr(handler, "client", None), "_transport", None)
        session = getattr(transport, "client", None)
        if session is not None and getattr(session, "_loop", None) is loop:
            await session.close()


clients = LoopClients(_own_suffix, _close)
"""Closes with a loop what litellm opened for it. One for all backends, as litellm's cache is."""
