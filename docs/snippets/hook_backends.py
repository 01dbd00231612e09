"""A backend that answers by repeating the question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from routesdk import Component, PluginHost, Query, hookimpl
from routesdk.protocols import Backend
from routesdk.testing import check_backend
from routesdk.types import Answer, Chunk, Request, Usage


class Echo:
    """Say the question back, at no cost."""

    async def generate(self, request: Request) -> Answer:
        """Answer at once."""
        words = len(request.query.text.split())
        usage = Usage(input_tokens=words, output_tokens=words, cost_usd=0, latency_s=0.0)
        return Answer(text=request.query.text, model=request.model, usage=usage)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer in one piece; the last chunk has the usage."""
        answer = await self.generate(request)
        yield Chunk(text=answer.text)
        yield Chunk(usage=answer.usage, finish_reason=answer.finish_reason)


class EchoPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_backends(self) -> Iterable[Component[Backend]]:
        """Offer `echo`."""
        # One that needs a client says how to get it: install='pip install "my-plugin[client]"'.
        yield Component(name="echo", factory=Echo, summary="Say the question back.")


backend = PluginHost([EchoPlugin()]).backend("echo")
check_backend(backend)
print(asyncio.run(backend.generate(Request(query=Query("Who is there?"), model="echo-1"))).text)
