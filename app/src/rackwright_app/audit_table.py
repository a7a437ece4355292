"""Copies audit lines into PostgreSQL, behind the requests and some at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import structlog
from psycopg.types.json import Jsonb

from rackwright_app import metrics
from rackwright_app.database.pool import Pool

_EVERY_SECONDS = 1.0
_BATCH = 500
# What waits while the database is away; the file has all of them.
_WAITING = 20_000
_log = structlog.get_logger(__name__)


class AuditTable:
    """Holds records until they are in the table."""

    def __init__(self) -> None:
        self._waiting: deque[Mapping[str, Any]] = deque()

    def add(self, record: Mapping[str, Any]) -> None:
        """Takes a record that has its place in a chain."""
        if len(self._waiting) >= _WAITING:
            self._waiting.popleft()
            metrics.AUDIT_FAILURES.inc()
        self._waiting.append(record)

    async def run(self, pool: Pool) -> None:
        """Writes what waits, until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.flush(pool)

    async def flush(self, pool: Pool) -> None:
        """Writes what waits; what the database does not take waits on."""
        while self._waiting:
            some = [self._waiting[place] for place in range(min(_BATCH, len(self._waiting)))]
            try:
                await _copy(pool, some)
            except psycopg.DataError:
                # One that the database will never take must not keep all behind it waiting.
                if not await self._one_by_one(pool, some):
                    return
            except psycopg.Error as error:
                self._told(error)
                return
            for _ in some:
                self._waiting.popleft()

    async def _one_by_one(self, pool: Pool, some: Sequence[Mapping[str, Any]]) -> bool:
        """Writes records each by itself; the file alone has one that is refused. False: the rest waits on."""
        for each in some:
            try:
                await _copy(pool, [each])
            except psycopg.DataError as error:
                metrics.AUDIT_FAILURES.inc()
                _log.error(
                    "audit line refused", chain=each["chain"], seq=each["seq"], reason=type(error).__name__
                )
            except psycopg.Error as error:
                self._told(error)
                return False
        return True

    def _told(self, error: psycopg.Error) -> None:
        _log.warning("audit not copied", waiting=len(self._waiting), reason=type(error).__name__)


async def _copy(pool: Pool, records: Sequence[Mapping[str, Any]]) -> None:
    rows = [(each["chain"], each["seq"], each["time"], Jsonb(each)) for each in records]
    async with pool.connection() as connection, connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO audit (chain, seq, at, record) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING", rows
        )
