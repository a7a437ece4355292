"""Asks the model servers, any that speak OpenAI's chat protocol."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypedDict

import httpx
import structlog
from httpx_sse import SSEError, aconnect_sse
from pydantic import BaseModel, ValidationError

from rackwright_app import metrics
from rackwright_app.settings import Engine

Kind = Literal["connect", "timeout", "refused", "status", "protocol", "broken"]
_WRITE_SECONDS = 10.0
_PROBE_SECONDS = 3.0
_REFUSALS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
_log = structlog.get_logger(__name__)


class Message(TypedDict):
    """One message of a conversation, as the engines take it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Piece:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The end of an answer.

    Attributes:
        reason: Why it ended: ``stop``, ``length``, ….
        prompt_tokens: Tokens read, None when the engine does not say.
        completion_tokens: Tokens written, None when the engine does not say.
    """

    reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


class EngineError(Exception):
    """No engine could answer.

    Attributes:
        kind: What went wrong, a label of the metric.
        elsewhere: Another engine may do better with the same question.
    """

    def __init__(self, kind: Kind, detail: str, *, elsewhere: bool = True) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.elsewhere = elsewhere


class _Delta(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class _Chunk(BaseModel):
    choices: list[_Choice]
    usage: _Usage | None = None


@dataclass
class _Address:
    url: str
    rests_until: float = field(default=0.0)


class EngineClient:
    """Asks the engines in turn; one that failed is asked last for a while.

    As long as nothing of an answer has come, the next engine is tried; afterwards a failure ends the answer,
    because another engine would begin another one.
    """

    def __init__(self, settings: Engine, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._addresses = [_Address(str(url).rstrip("/")) for url in settings.urls]
        self._turn = 0

    async def answer(self, messages: Sequence[Message]) -> AsyncGenerator[Piece | Finished, None]:
        """Streams an answer: pieces, then one ``Finished``.

        Args:
            messages: The conversation, the newest message last.

        Raises:
            EngineError: No engine could answer, or the one that did broke off.
        """
        failure = EngineError("connect", "no engine is known")
        for address in self._order():
            begun = False
            try:
                async with aclosing(self._ask(address.url, messages)) as parts:
                    async for part in parts:
                        begun = True
                        yield part
            except EngineError as error:
                metrics.ENGINE_ERRORS.labels(error.kind).inc()
                _log.warning(
                    "engine failed", engine=address.url, kind=error.kind, reason=str(error), begun=begun
                )
                if begun or not error.elsewhere:
                    raise
                address.rests_until = time.monotonic() + self._settings.cooldown_seconds
                failure = error
            else:
                return
        raise failure

    async def reachable(self) -> bool:
        """Says whether any engine lists its models, the cheapest question of the protocol."""
        for address in self._order():
            try:
                found = await self._client.get(
                    f"{address.url}/models", headers=self._headers(), timeout=_PROBE_SECONDS
                )
            except httpx.HTTPError:
                continue
            if found.status_code == HTTPStatus.OK:
                return True
        return False

    def _order(self) -> list[_Address]:
        self._turn = (self._turn + 1) % len(self._addresses)
        turned = self._addresses[self._turn :] + self._addresses[: self._turn]
        now = time.monotonic()
        return sorted(turned, key=lambda address: address.rests_until > now)

    def _headers(self) -> dict[str, str]:
        key = self._settings.api_key.get_secret_value()
        return {"Authorization": f"Bearer {key}"} if key else {}

    async def _ask(self, url: str, messages: Sequence[Message]) -> AsyncGenerator[Piece | Finished, None]:
        settings = self._settings
        question = {
            "model": settings.model,
            "messages": messages,
            "max_tokens": settings.answer_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        waits = httpx.Timeout(
            settings.silence_seconds,
            connect=settings.connect_seconds,
            write=_WRITE_SECONDS,
            pool=settings.connect_seconds,
        )
        try:
            async with aconnect_sse(
                self._client,
                "POST",
                f"{url}/chat/completions",
                json=question,
                headers=self._headers(),
                timeout=waits,
            ) as source:
                status = source.response.status_code
                if status in _REFUSALS:
                    raise EngineError("refused", f"status {status}", elsewhere=False)
                if status != HTTPStatus.OK:
                    raise EngineError("status", f"status {status}")
                async with aclosing(_parts(event.data async for event in source.aiter_sse())) as parts:
                    async for part in parts:
                        yield part
        except httpx.TimeoutException as error:
            raise EngineError("timeout", type(error).__name__) from error
        except httpx.ConnectError as error:
            raise EngineError("connect", type(error).__name__) from error
        except SSEError as error:
            raise EngineError("protocol", "the answer is no event stream") from error
        except httpx.HTTPError as error:
            raise EngineError("broken", type(error).__name__) from error


async def _parts(events: AsyncIterator[str]) -> AsyncGenerator[Piece | Finished, None]:
    reason: str | None = None
    usage: _Usage | None = None
    async for data in events:
        if data.strip() == "[DONE]":
            break
        chunk = _parse(data)
        usage = chunk.usage or usage
        for choice in chunk.choices[:1]:
            if choice.delta.content:
                yield Piece(choice.delta.content)
            reason = choice.finish_reason or reason
    if reason is None:
        raise EngineError("broken", "the answer ended without its end")
    yield Finished(reason, usage.prompt_tokens if usage else None, usage.completion_tokens if usage else None)


def _parse(data: str) -> _Chunk:
    try:
        return _Chunk.model_validate_json(data)
    except ValidationError as error:
        raise EngineError("protocol", _said(data)) from error


def _said(data: str) -> str:
    # An engine that fails within a stream says so in an object of its own; only its type is told on.
    try:
        problem = json.loads(data).get("error", {})
        return f"the engine says {problem.get('type') or problem.get('code')}"
    except (ValueError, AttributeError):
        return "a piece of the answer is no JSON object"
