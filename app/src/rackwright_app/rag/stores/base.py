"""What the app asks of a vector store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class Entry:
    """A vector to keep.

    Attributes:
        chunk: The piece's number in PostgreSQL.
        document: The document that it is of.
        vector: Its embedding.
    """

    chunk: int
    document: UUID
    vector: Sequence[float]


@dataclass(frozen=True)
class Hit:
    """A vector that was found.

    Attributes:
        chunk: The piece's number.
        cosine: Cosine of the angle to the question's vector, -1 to 1.
    """

    chunk: int
    cosine: float


class StoreError(Exception):
    """The store is away or refuses."""


class VectorStore(Protocol):
    """A vector store. Every search is within one user's vectors."""

    async def add(self, subject: str, entries: Sequence[Entry]) -> None:
        """Keeps vectors of a user; those of a known number are replaced.

        Raises:
            StoreError: The store is away or refuses.
        """

    async def search(
        self, subject: str, vector: Sequence[float], *, limit: int, documents: Sequence[UUID] | None
    ) -> list[Hit]:
        """Finds a user's nearest vectors, the nearest first.

        Args:
            subject: The user's name.
            vector: The question's embedding.
            limit: How many at most.
            documents: Only these; all when None.

        Raises:
            StoreError: The store is away or refuses.
        """

    async def remove(self, document: UUID) -> None:
        """Forgets a document's vectors; none is no error.

        Raises:
            StoreError: The store is away or refuses.
        """
