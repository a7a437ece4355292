"""Passwords: argon2id, computed beside the event loop, two at a time."""

from __future__ import annotations

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MINIMUM_CHARACTERS = 12
MAXIMUM_CHARACTERS = 1024
# OWASP's first choice of small parameters: 19 MiB and two passes, so that many tries at once fill no memory.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE = asyncio.Semaphore(2)


def hashed(password: str) -> str:
    """Returns what is kept of a password."""
    return _HASHER.hash(password)


async def matches(kept: str | None, password: str) -> bool:
    """Says whether a password is the one that was kept; takes as long when there is no such user.

    Args:
        kept: What ``hashed`` returned; None for an unknown user.
        password: What was typed.
    """
    async with _AT_ONCE:
        return await asyncio.to_thread(_verify, kept or _nobodys(), password) and kept is not None


def _verify(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return hashed("a user who does not exist")
