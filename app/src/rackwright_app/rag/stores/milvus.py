"""Vectors in Milvus, by its REST API v2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from rackwright_app.rag.stores.base import Entry, Hit, StoreError
from rackwright_app.rag.stores.http import HttpStore

_BATCH = 256
_SUBJECT_BYTES = 512


class Milvus:
    """A collection for each model. Milvus answers 200 always and says in the body whether it did it."""

    def __init__(self, client: httpx.AsyncClient, url: str, api_key: str, name: str, dimensions: int) -> None:
        self._store = HttpStore(client, url, {"Authorization": f"Bearer {api_key}"} if api_key else {})
        self._name = name
        self._dimensions = dimensions
        self._ready = False

    async def add(self, subject: str, entries: Sequence[Entry]) -> None:
        """See ``VectorStore``."""
        await self._prepare()
        for first in range(0, len(entries), _BATCH):
            data = [
                {
                    "id": entry.chunk,
                    "vector": list(entry.vector),
                    "subject": subject,
                    "document": str(entry.document),
                }
                for entry in entries[first : first + _BATCH]
            ]
            await self._ask("entities/upsert", {"data": data})

    async def search(
        self, subject: str, vector: Sequence[float], *, limit: int, documents: Sequence[UUID] | None
    ) -> list[Hit]:
        """See ``VectorStore``."""
        await self._prepare()
        # A text of JSON is one of Milvus' expressions too: nothing that a name holds ends it early.
        condition = f"subject == {json.dumps(subject)}"
        if documents is not None:
            condition += f" and document in {json.dumps([str(document) for document in documents])}"
        body = {
            "data": [list(vector)],
            "annsField": "vector",
            "limit": limit,
            "filter": condition,
            "outputFields": ["id"],
        }
        found = await self._ask("entities/search", body)
        return [Hit(int(row["id"]), float(row["distance"])) for row in found]

    async def remove(self, document: UUID) -> None:
        """See ``VectorStore``."""
        await self._prepare()
        await self._ask("entities/delete", {"filter": f'document == "{document}"'})

    async def _prepare(self) -> None:
        if self._ready:
            return
        if not (await self._ask("collections/has", {}))["has"]:
            text = {"dataType": "VarChar", "elementTypeParams": {"max_length": str(_SUBJECT_BYTES)}}
            vector = {"dataType": "FloatVector", "elementTypeParams": {"dim": str(self._dimensions)}}
            fields = [
                {"fieldName": "id", "dataType": "Int64", "isPrimary": True},
                {"fieldName": "vector", **vector},
                {"fieldName": "subject", **text},
                {"fieldName": "document", **text},
            ]
            index = {
                "fieldName": "vector",
                "indexName": "vector",
                "metricType": "COSINE",
                "params": {"index_type": "AUTOINDEX"},
            }
            body = {"schema": {"autoId": False, "fields": fields}, "indexParams": [index]}
            await self._ask("collections/create", body)
        self._ready = True

    async def _ask(self, what: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever it answers
        answer = await self._store.ask("POST", f"/v2/vectordb/{what}", {"collectionName": self._name, **body})
        if not isinstance(answer, dict) or answer.get("code") != 0:
            raise StoreError(f"{what}: code {answer.get('code') if isinstance(answer, dict) else None}")
        return answer.get("data")
