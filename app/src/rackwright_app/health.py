"""Says whether the service can serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

from rackwright_app.audit import AuditLog
from rackwright_app.database.pool import Pool, is_ready
from rackwright_app.engine import EngineClient

Status = Literal["ok", "degraded", "unavailable"]

_STORE_FRESH_SECONDS = 1.0
_ENGINE_FRESH_SECONDS = 10.0
_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Health:
    """The outcome of all checks, by name."""

    status: Status
    checks: dict[str, Literal["ok", "failed"]]


class _Check:
    """One question, asked at most once in a while however often health is asked for."""

    def __init__(self, ask: Callable[[], Awaitable[bool]], fresh_seconds: float) -> None:
        self._ask = ask
        self._fresh_seconds = fresh_seconds
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._passed = False

    async def passed(self) -> bool:
        async with self._lock:
            if time.monotonic() - self._asked_at > self._fresh_seconds:
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        self._passed = await self._ask()
                except TimeoutError:
                    self._passed = False
                self._asked_at = time.monotonic()
            return self._passed


class HealthChecks:
    """Checks what the service stands on.

    Without database or Redis it can serve nobody (``unavailable``). Without an engine or an audit file it
    still shows conversations, so it stays in the balancer's round (``degraded``): another instance would fare
    no better.
    """

    def __init__(self, pool: Pool, redis: Redis, engine: EngineClient, audit: AuditLog) -> None:
        self._audit = audit
        self._checks = {
            "database": _Check(lambda: is_ready(pool), _STORE_FRESH_SECONDS),
            "redis": _Check(lambda: _answers(redis), _STORE_FRESH_SECONDS),
            "engine": _Check(engine.reachable, _ENGINE_FRESH_SECONDS),
        }

    async def run(self) -> Health:
        """Returns the state of every check and what follows from them."""
        names = list(self._checks)
        passed = dict(
            zip(names, await asyncio.gather(*(self._checks[name].passed() for name in names)), strict=True)
        )
        passed["audit"] = self._audit.healthy
        if not (passed["database"] and passed["redis"]):
            status: Status = "unavailable"
        else:
            status = "ok" if all(passed.values()) else "degraded"
        return Health(status, {name: "ok" if good else "failed" for name, good in passed.items()})


async def _answers(redis: Redis) -> bool:
    try:
        return bool(await redis.ping())
    except (RedisError, OSError):
        return False
