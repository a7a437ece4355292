"""The limit on requests per user, counted in Redis so that all workers and instances count together."""

from __future__ import annotations

import contextlib
import hashlib
import math
import uuid
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from rackwright_app.errors import UnavailableError

HOUR_SECONDS = 3600

# A log of the window's requests: exact at every moment, where counters per clock hour let twice the limit
# through around the full hour. It holds at most `limit` short entries a user. Redis' own clock serves all
# instances. The caller gets: allowed (0 or 1), requests left, milliseconds until a place comes free.
_SCRIPT = """
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local used = redis.call('ZCARD', KEYS[1])
local allowed = used < limit
if allowed then
  redis.call('ZADD', KEYS[1], now, ARGV[3])
  redis.call('PEXPIRE', KEYS[1], window)
  used = used + 1
end
local first = math.max(0, used - limit)
local leaves = redis.call('ZRANGE', KEYS[1], first, first, 'WITHSCORES')
return {allowed and 1 or 0, math.max(0, limit - used), leaves[2] + window - now}
"""


@dataclass(frozen=True)
class Verdict:
    """Whether a request may go on.

    Attributes:
        allowed: It may.
        limit: Requests in a window.
        remaining: Requests left.
        reset_seconds: Seconds until a place comes free.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """Returns the headers that tell the caller where it stands."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


class RequestLimit:
    """Counts requests per user, or whatever else is counted, in a window that slides."""

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str,
        limit: int,
        window_seconds: int = HOUR_SECONDS,
        name: str = "requests",
    ) -> None:
        self._redis = redis
        self._name = name
        self._script = redis.register_script(_SCRIPT)
        self._prefix = prefix
        self._limit = limit
        self._window_ms = window_seconds * 1000

    async def take(self, subject: str) -> Verdict:
        """Counts one request of a user; a refused one does not count.

        Args:
            subject: The user's name.

        Returns:
            Whether the request may go on, and what is left.

        Raises:
            UnavailableError: Redis does not answer. The request is refused, not let through: the limit guards
                the engine, the dearest part of the platform, and whoever could bring Redis down would be free
                of it.
        """
        key = self._key(subject)
        try:
            allowed, remaining, wait_ms = await self._script(
                keys=[key], args=[self._limit, self._window_ms, uuid.uuid4().hex]
            )
        except (RedisError, OSError) as error:
            raise UnavailableError("limiter") from error
        return Verdict(bool(allowed), self._limit, int(remaining), max(1, math.ceil(int(wait_ms) / 1000)))

    async def forget(self, subject: str) -> None:
        """Gives a user the whole limit again; without Redis it comes back by itself."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.delete(self._key(subject))

    def _key(self, subject: str) -> str:
        # Hashed, because a name may hold any character and Redis' key patterns give some of them a meaning.
        return f"{self._prefix}{self._name}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
