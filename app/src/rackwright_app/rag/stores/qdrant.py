"""Vectors in Qdrant, by its REST API.

Not by qdrant-client: that brings gRPC and NumPy into every worker, for four requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from rackwright_app.rag.stores.base import Entry, Hit
from rackwright_app.rag.stores.http import HttpStore, make_once

_BATCH = 256


class Qdrant:
    """A collection for each model; users and documents are indexed fields of the payload."""

    def __init__(self, client: httpx.AsyncClient, url: str, api_key: str, name: str, dimensions: int) -> None:
        self._store = HttpStore(client, url, {"api-key": api_key} if api_key else {})
        self._path = f"/collections/{name}"
        self._dimensions = dimensions
        self._ready = False

    async def add(self, subject: str, entries: Sequence[Entry]) -> None:
        """See ``VectorStore``."""
        await self._prepare()
        for first in range(0, len(entries), _BATCH):
            points = [
                {
                    "id": entry.chunk,
                    "vector": list(entry.vector),
                    "payload": {"subject": subject, "document": str(entry.document)},
                }
                for entry in entries[first : first + _BATCH]
            ]
            await self._store.ask("PUT", f"{self._path}/points?wait=true", {"points": points})

    async def search(
        self, subject: str, vector: Sequence[float], *, limit: int, documents: Sequence[UUID] | None
    ) -> list[Hit]:
        """See ``VectorStore``."""
        await self._prepare()
        must: list[dict[str, Any]] = [{"key": "subject", "match": {"value": subject}}]
        if documents is not None:
            must.append({"key": "document", "match": {"any": [str(document) for document in documents]}})
        body = {"query": list(vector), "filter": {"must": must}, "limit": limit, "with_payload": False}
        found = await self._store.ask("POST", f"{self._path}/points/query", body)
        return [Hit(int(point["id"]), float(point["score"])) for point in found["result"]["points"]]

    async def remove(self, document: UUID) -> None:
        """See ``VectorStore``."""
        await self._prepare()
        must = [{"key": "document", "match": {"value": str(document)}}]
        await self._store.ask("POST", f"{self._path}/points/delete?wait=true", {"filter": {"must": must}})

    async def _prepare(self) -> None:
        if not self._ready:
            await make_once(self._is_there, self._make)
            self._ready = True

    async def _is_there(self) -> bool:
        return await self._store.ask("GET", self._path, missing_is_none=True) is not None

    async def _make(self) -> None:
        vectors = {"size": self._dimensions, "distance": "Cosine"}
        await self._store.ask("PUT", self._path, {"vectors": vectors})
        for field in ("subject", "document"):
            index = {"field_name": field, "field_schema": "keyword"}
            await self._store.ask("PUT", f"{self._path}/index?wait=true", index)
