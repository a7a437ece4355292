"""Vectors in Chroma, by its API v2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from rackwright_app.rag.stores.base import Entry, Hit
from rackwright_app.rag.stores.http import HttpStore

_DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
_BATCH = 500


class Chroma:
    """A collection for each model, in cosine space."""

    def __init__(self, client: httpx.AsyncClient, url: str, api_key: str, name: str) -> None:
        headers = {"Authorization": f"Bearer {api_key}", "X-Chroma-Token": api_key} if api_key else {}
        self._store = HttpStore(client, url, headers)
        self._name = name
        self._collection = ""

    async def add(self, subject: str, entries: Sequence[Entry]) -> None:
        """See ``VectorStore``."""
        for first in range(0, len(entries), _BATCH):
            some = entries[first : first + _BATCH]
            body = {
                "ids": [str(entry.chunk) for entry in some],
                "embeddings": [list(entry.vector) for entry in some],
                "metadatas": [{"subject": subject, "document": str(entry.document)} for entry in some],
            }
            await self._store.ask("POST", f"{await self._path()}/upsert", body)

    async def search(
        self, subject: str, vector: Sequence[float], *, limit: int, documents: Sequence[UUID] | None
    ) -> list[Hit]:
        """See ``VectorStore``."""
        where: dict[str, Any] = {"subject": {"$eq": subject}}
        if documents is not None:
            where = {"$and": [where, {"document": {"$in": [str(document) for document in documents]}}]}
        body = {
            "query_embeddings": [list(vector)],
            "n_results": limit,
            "where": where,
            "include": ["distances"],
        }
        found = await self._store.ask("POST", f"{await self._path()}/query", body)
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [Hit(int(chunk), 1 - float(distance)) for chunk, distance in pairs]

    async def remove(self, document: UUID) -> None:
        """See ``VectorStore``."""
        body = {"where": {"document": {"$eq": str(document)}}}
        await self._store.ask("POST", f"{await self._path()}/delete", body)

    async def _path(self) -> str:
        if not self._collection:
            body = {
                "name": self._name,
                "get_or_create": True,
                "configuration": {"hnsw": {"space": "cosine"}},
            }
            made = await self._store.ask("POST", f"{_DATABASE}/collections", body)
            self._collection = str(made["id"])
        return f"{_DATABASE}/collections/{self._collection}"
