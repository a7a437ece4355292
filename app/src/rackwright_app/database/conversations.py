"""Conversations: sessions of a user, each a row of turns (a question and its answer)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rackwright_app.database.pool import Pool

_TITLE_CHARACTERS = 80

TurnStatus = Literal["pending", "complete", "interrupted", "failed"]
"""How far an answer has come."""


@dataclass(frozen=True)
class Session:
    """A conversation, without its turns."""

    id: UUID
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Turn:
    """A question and its answer; tokens are None when the engine did not count them."""

    id: int
    question: str
    answer: str
    status: TurnStatus
    prompt_tokens: int | None
    completion_tokens: int | None
    created_at: datetime
    sources: list[dict[str, Any]] | None = None


class Conversations:
    """Reads and writes conversations. A session of another user is treated as one that does not exist."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, subject: str, question: str, session: UUID | None) -> tuple[UUID, int] | None:
        """Notes a question before it is asked, in a new session or one of the user's.

        Args:
            subject: The user's name.
            question: The message.
            session: A session of the user, None for a new one.

        Returns:
            The session and the number of the turn; None when the user has no such session.
        """
        async with self._pool.connection() as connection, connection.transaction():
            if session is None:
                found = await connection.execute(
                    "INSERT INTO sessions (subject, title) VALUES (%s, %s) RETURNING id",
                    (subject, " ".join(question.split())[:_TITLE_CHARACTERS]),
                )
            else:
                found = await connection.execute(
                    "UPDATE sessions SET updated_at = now() WHERE id = %s AND subject = %s RETURNING id",
                    (session, subject),
                )
            row = await found.fetchone()
            if row is None:
                return None
            turn = await connection.execute(
                "INSERT INTO turns (session_id, question) VALUES (%s, %s) RETURNING id", (row["id"], question)
            )
            number = await turn.fetchone()
            if number is None:
                raise RuntimeError("INSERT … RETURNING returned no row")
            return row["id"], number["id"]

    async def finish(
        self,
        turn: int,
        answer: str,
        status: TurnStatus,
        *,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        sources: Sequence[Mapping[str, object]] | None = None,
    ) -> None:
        """Notes what came of a question; ``sources`` are the pieces of documents that it was given."""
        async with self._pool.connection() as connection:
            # PostgreSQL stores no NUL, and a model may write one.
            await connection.execute(
                "UPDATE turns SET answer = %s, status = %s, prompt_tokens = %s, completion_tokens = %s,"
                " sources = %s, finished_at = now() WHERE id = %s",
                (
                    answer.replace("\0", ""),
                    status,
                    prompt_tokens,
                    completion_tokens,
                    Jsonb(sources) if sources is not None else None,
                    turn,
                ),
            )

    async def recent(self, session: UUID, *, before: int, turns: int) -> list[Turn]:
        """Returns the last answered turns before one, oldest first."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Turn)) as cursor,
        ):
            await cursor.execute(
                "SELECT id, question, answer, status, prompt_tokens, completion_tokens, created_at, sources"
                " FROM turns WHERE session_id = %s AND id < %s AND answer <> '' ORDER BY id DESC LIMIT %s",
                (session, before, turns),
            )
            return list(reversed(await cursor.fetchall()))

    async def sessions(self, subject: str, *, limit: int, before: datetime | None) -> list[Session]:
        """Returns a user's sessions, the last used first."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Session)) as cursor,
        ):
            await cursor.execute(
                "SELECT id, title, created_at, updated_at FROM sessions"
                " WHERE subject = %s AND updated_at < coalesce(%s, 'infinity'::timestamptz)"
                " ORDER BY updated_at DESC LIMIT %s",
                (subject, before, limit),
            )
            return await cursor.fetchall()

    async def session(self, subject: str, session: UUID) -> tuple[Session, list[Turn]] | None:
        """Returns a user's session with its turns, oldest first; None when the user has no such session."""
        async with self._pool.connection() as connection:
            async with connection.cursor(row_factory=class_row(Session)) as cursor:
                await cursor.execute(
                    "SELECT id, title, created_at, updated_at FROM sessions WHERE id = %s AND subject = %s",
                    (session, subject),
                )
                found = await cursor.fetchone()
            if found is None:
                return None
            async with connection.cursor(row_factory=class_row(Turn)) as cursor:
                await cursor.execute(
                    "SELECT id, question, answer, status, prompt_tokens, completion_tokens, created_at,"
                    " sources FROM turns WHERE session_id = %s ORDER BY id",
                    (session,),
                )
                return found, await cursor.fetchall()

    async def active_sessions(self) -> int:
        """Counts the sessions, of all users, that were used within the last 15 minutes."""
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT count(*) AS active FROM sessions WHERE updated_at > now() - interval '15 minutes'"
            )
            row = await found.fetchone()
            return int(row["active"]) if row else 0
