"""Vectors in the app's own PostgreSQL, by the extension pgvector."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import psycopg
from psycopg import sql

from rackwright_app.database.pool import Pool
from rackwright_app.rag.stores.base import Entry, Hit, StoreError

# What pgvector indexes of the type `vector`.
_INDEXED_DIMENSIONS = 2_000


class PgVector:
    """A table for each model, with an HNSW index where pgvector can build one."""

    def __init__(self, pool: Pool, name: str, dimensions: int) -> None:
        self._pool = pool
        self._table = sql.Identifier(f"{name}_vectors")
        self._name = name
        self._dimensions = dimensions
        self._ready = False

    async def add(self, subject: str, entries: Sequence[Entry]) -> None:
        """See ``VectorStore``."""
        await self._prepare()
        rows = [(entry.chunk, entry.document, subject, _text(entry.vector)) for entry in entries]
        statement = sql.SQL(
            "INSERT INTO {} (chunk_id, document_id, subject, embedding) VALUES (%s, %s, %s, %s::vector)"
            " ON CONFLICT (chunk_id) DO UPDATE SET embedding = excluded.embedding"
        ).format(self._table)
        try:
            async with self._pool.connection() as connection, connection.cursor() as cursor:
                await cursor.executemany(statement, rows)
        except psycopg.Error as error:
            raise StoreError(str(error)) from error

    async def search(
        self, subject: str, vector: Sequence[float], *, limit: int, documents: Sequence[UUID] | None
    ) -> list[Hit]:
        """See ``VectorStore``."""
        await self._prepare()
        statement = sql.SQL(
            "SELECT chunk_id, 1 - (embedding <=> %(vector)s::vector) AS cosine FROM {}"
            " WHERE subject = %(subject)s"
            " AND (%(documents)s::uuid[] IS NULL OR document_id = ANY(%(documents)s))"
            " ORDER BY embedding <=> %(vector)s::vector LIMIT %(limit)s"
        ).format(self._table)
        values = {
            "vector": _text(vector),
            "subject": subject,
            "documents": list(documents) if documents is not None else None,
            "limit": limit,
        }
        try:
            async with self._pool.connection() as connection, connection.transaction():
                # Without it an index that finds other users' vectors first would bring too few of this one's.
                await connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
                found = await connection.execute(statement, values)
                return [Hit(row["chunk_id"], float(row["cosine"])) for row in await found.fetchall()]
        except psycopg.Error as error:
            raise StoreError(str(error)) from error

    async def remove(self, document: UUID) -> None:
        """See ``VectorStore``. The pieces' rows take their vectors along, too."""
        await self._prepare()
        statement = sql.SQL("DELETE FROM {} WHERE document_id = %s").format(self._table)
        try:
            async with self._pool.connection() as connection:
                await connection.execute(statement, (document,))
        except psycopg.Error as error:
            raise StoreError(str(error)) from error

    async def _prepare(self) -> None:
        if self._ready:
            return
        try:
            async with self._pool.connection() as connection, connection.transaction():
                # Of several workers that ask for it at once one makes it.
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._name,))
                await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                await connection.execute(
                    sql.SQL(
                        "CREATE TABLE IF NOT EXISTS {}"
                        " (chunk_id bigint PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,"
                        " document_id uuid NOT NULL, subject text NOT NULL, embedding vector({}) NOT NULL)"
                    ).format(self._table, sql.Literal(self._dimensions))
                )
                for column in ("document_id", "subject"):
                    await connection.execute(
                        sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})").format(
                            sql.Identifier(f"{self._name}_{column}"), self._table, sql.Identifier(column)
                        )
                    )
                if self._dimensions <= _INDEXED_DIMENSIONS:
                    await connection.execute(
                        sql.SQL(
                            "CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (embedding vector_cosine_ops)"
                        ).format(sql.Identifier(f"{self._name}_hnsw"), self._table)
                    )
        except psycopg.Error as error:
            raise StoreError(f"pgvector cannot be used: {error}") from error
        self._ready = True


def _text(vector: Sequence[float]) -> str:
    return f"[{','.join(f'{value:.7g}' for value in vector)}]"
