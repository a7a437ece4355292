"""Documents of users and the pieces they are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from rackwright_app.database.pool import Pool
from rackwright_app.rag.chunks import Chunk
from rackwright_app.rag.words import words_of

DocumentStatus = Literal["processing", "ready"]


@dataclass(frozen=True)
class Document:
    """A document of a user."""

    id: UUID
    name: str
    kind: Literal["pdf", "docx", "markdown", "text"]
    size_bytes: int
    chunks: int
    status: DocumentStatus
    created_at: datetime


@dataclass(frozen=True)
class Piece:
    """A piece of a document, with what is said of its document."""

    id: int
    document: UUID
    name: str
    position: int
    page: int | None
    heading: str
    text: str


_DOCUMENT = "id, name, kind, size_bytes, chunks, status, created_at"
_PIECE = (
    "SELECT c.id, c.document_id AS document, d.name, c.position, c.page, c.heading, c.content AS text"
    " FROM chunks c JOIN documents d ON d.id = c.document_id"
)


class Documents:
    """Reads and writes documents. Another user's is treated as one that does not exist."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def count(self, subject: str) -> int:
        """Returns how many documents a user has."""
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT count(*) AS count FROM documents WHERE subject = %s", (subject,)
            )
            row = await found.fetchone()
        return int(row["count"]) if row else 0

    async def add(
        self, subject: str, *, name: str, kind: str, size_bytes: int, chunks: Sequence[Chunk]
    ) -> tuple[UUID, list[int]]:
        """Keeps a document and its pieces; it is not found before ``ready`` is called.

        Returns:
            Its id and the numbers of its pieces.
        """
        async with self._pool.connection() as connection, connection.transaction():
            found = await connection.execute(
                "INSERT INTO documents (subject, name, kind, size_bytes, chunks)"
                " VALUES (%s, %s, %s, %s, %s) RETURNING id",
                (subject, name, kind, size_bytes, len(chunks)),
            )
            row = await found.fetchone()
            if row is None:
                raise RuntimeError("INSERT … RETURNING returned no row")
            document: UUID = row["id"]
            rows = [
                (
                    document,
                    position,
                    chunk.page,
                    chunk.heading,
                    chunk.text,
                    " ".join(words_of(f"{chunk.heading} {chunk.text}")),
                )
                for position, chunk in enumerate(chunks)
            ]
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    "INSERT INTO chunks (document_id, position, page, heading, content, words)"
                    " VALUES (%s, %s, %s, %s, %s, to_tsvector('simple', %s))",
                    rows,
                )
            numbers = await connection.execute(
                "SELECT id FROM chunks WHERE document_id = %s ORDER BY position", (document,)
            )
            return document, [each["id"] for each in await numbers.fetchall()]

    async def ready(self, document: UUID) -> Document:
        """Says that a document is whole, and returns it."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Document)) as cursor,
        ):
            await cursor.execute(
                f"UPDATE documents SET status = 'ready' WHERE id = %s RETURNING {_DOCUMENT}",  # noqa: S608
                (document,),
            )
            found = await cursor.fetchone()
        if found is None:
            raise RuntimeError("the document has gone while it was taken in")
        return found

    async def page(self, subject: str, *, limit: int, before: datetime | None) -> list[Document]:
        """Returns a user's documents, the newest first."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Document)) as cursor,
        ):
            await cursor.execute(
                f"SELECT {_DOCUMENT} FROM documents"  # noqa: S608 - a constant
                " WHERE subject = %s AND created_at < coalesce(%s, 'infinity'::timestamptz)"
                " ORDER BY created_at DESC LIMIT %s",
                (subject, before, limit),
            )
            return await cursor.fetchall()

    async def owns(self, subject: str, document: UUID) -> bool:
        """Says whether a document is a user's."""
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT 1 FROM documents WHERE id = %s AND subject = %s", (document, subject)
            )
            return await found.fetchone() is not None

    async def remove(self, document: UUID) -> None:
        """Forgets a document and its pieces."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM documents WHERE id = %s", (document,))

    async def search(
        self, subject: str, words: Sequence[str], *, limit: int, documents: Sequence[UUID] | None
    ) -> list[int]:
        """Finds the pieces of a user's documents that hold any of some words, the best first.

        Args:
            subject: The user's name.
            words: As ``words_of`` returns them.
            limit: How many at most.
            documents: Only these; all when None.

        Returns:
            The numbers of the pieces.
        """
        if not words:
            return []
        # Each is quoted, so that it is one word whatever it holds.
        question = " | ".join("'" + word.replace("\\", "").replace("'", "''") + "'" for word in words)
        async with self._pool.connection() as connection:
            found = await connection.execute(
                "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id,"
                " to_tsquery('simple', %(words)s) question"
                " WHERE d.subject = %(subject)s AND d.status = 'ready'"
                " AND (%(documents)s::uuid[] IS NULL OR d.id = ANY(%(documents)s)) AND c.words @@ question"
                " ORDER BY ts_rank_cd(c.words, question, 1) DESC, c.id LIMIT %(limit)s",
                {
                    "words": question,
                    "subject": subject,
                    "documents": list(documents) if documents is not None else None,
                    "limit": limit,
                },
            )
            return [row["id"] for row in await found.fetchall()]

    async def pieces(self, subject: str, numbers: Sequence[int]) -> dict[int, Piece]:
        """Returns pieces by their numbers: those of other users' documents are left out."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Piece)) as cursor,
        ):
            await cursor.execute(
                f"{_PIECE} WHERE c.id = ANY(%s) AND d.subject = %s AND d.status = 'ready'",
                (list(numbers), subject),
            )
            return {piece.id: piece for piece in await cursor.fetchall()}
