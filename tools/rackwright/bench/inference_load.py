"""Asks models as a number of users at a time would, for a bounded time, and tells of every request.

A program of its own: it is sent to an app's host and runs there in the app's environment, so it stands on
httpx alone, by which the app itself speaks to the engines. On standard input is one JSON object (`Settings`),
on standard output the list of what became of the requests (`Request`).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from http import HTTPStatus
from typing import Any, TypedDict

import httpx

# Between the beginnings of two users, so that they do not all open their connection in the same instant.
_STAGGER_SECONDS = 0.01


class Settings(TypedDict):
    """What is asked for; durations in seconds.

    `ca` is PEM, empty for what the machine trusts. After `seconds` no question is asked any more, `grace`
    later what still runs is cut off.
    """

    url: str
    key: str
    ca: str
    model: str
    users: int
    seconds: float
    grace: float
    silence: float
    tokens: int
    prompts: list[str]


class Request(TypedDict):
    """What became of one request.

    `began` is wall-clock time; `first` (the first piece of the answer) and `ended` are seconds after it.
    `tokens` are the engine's own count, or the pieces where it says none. `error` is empty, or says what
    went wrong.
    """

    user: int
    began: float
    first: float | None
    ended: float
    tokens: int
    error: str


class _Answer:
    """An answer as it comes."""

    def __init__(self) -> None:
        self.began, self._start = time.time(), time.perf_counter()
        self.first: float | None = None
        self.pieces, self.counted = 0, 0
        self.finished = False
        self.error = ""

    def since(self) -> float:
        return round(time.perf_counter() - self._start, 6)

    def take(self, line: str) -> None:
        """Takes one line of the event stream."""
        if not line.startswith("data:"):
            return
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            self.finished = True
            return
        chunk: dict[str, Any] = json.loads(data)
        if "error" in chunk:
            self.error = "engine"
        self.counted = (chunk.get("usage") or {}).get("completion_tokens") or self.counted
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or {}
            # Models that think aloud send their thoughts apart; they are tokens, too.
            if delta.get("content") or delta.get("reasoning_content"):
                self.pieces += 1
                self.first = self.first if self.first is not None else self.since()

    def told(self, user: int) -> Request:
        if not self.error and not self.finished:
            self.error = "broken"
        return {
            "user": user,
            "began": self.began,
            "first": self.first,
            "ended": self.since(),
            "tokens": self.counted or self.pieces,
            "error": self.error,
        }


async def _ask(client: httpx.AsyncClient, settings: Settings, answer: _Answer, prompt: str) -> None:
    question = {
        "model": settings["model"],
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": settings["tokens"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    try:
        async with client.stream("POST", f"{settings['url']}/chat/completions", json=question) as response:
            if response.status_code != HTTPStatus.OK:
                answer.error = f"status {response.status_code}"
                return
            async for line in response.aiter_lines():
                answer.take(line)
    except httpx.TimeoutException:
        answer.error = "timeout"
    except httpx.ConnectError:
        answer.error = "connect"
    except (httpx.HTTPError, ValueError):
        answer.error = "broken"


async def _user(number: int, client: httpx.AsyncClient, settings: Settings, told: list[Request]) -> None:
    await asyncio.sleep(number * _STAGGER_SECONDS)
    until = time.monotonic() + settings["seconds"]
    turn = number
    while time.monotonic() < until:
        answer = _Answer()
        prompts = settings["prompts"]
        try:
            await _ask(client, settings, answer, prompts[turn % len(prompts)])
        except asyncio.CancelledError:
            answer.error = "cut off"
            raise
        finally:
            told.append(answer.told(number))
        turn += 1
        if answer.error:
            # Whoever is refused does not ask again a thousand times a second.
            await asyncio.sleep(0.2)


async def load(settings: Settings) -> list[Request]:
    """Asks until the time is over, and returns what became of every request.

    Args:
        settings: What is asked for.
    """
    context = ssl.create_default_context()
    if settings["ca"]:
        context.load_verify_locations(cadata=settings["ca"])
    told: list[Request] = []
    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {settings['key']}"} if settings["key"] else {},
        timeout=httpx.Timeout(settings["silence"], connect=10),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        verify=context,
        trust_env=False,
    ) as client:
        users = [
            asyncio.create_task(_user(number, client, settings, told)) for number in range(settings["users"])
        ]
        _, late = await asyncio.wait(users, timeout=settings["seconds"] + settings["grace"])
        for task in late:
            task.cancel()
        results = await asyncio.gather(*users, return_exceptions=True)
    for result in results:
        # What was cut off has told so itself.
        if isinstance(result, Exception):
            raise result
    return told


if __name__ == "__main__":
    json.dump(asyncio.run(load(json.load(sys.stdin))), sys.stdout)
