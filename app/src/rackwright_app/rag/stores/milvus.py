"""Vectors in Milvus, by its REST API v2."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from rackwright_app.rag.stores.base import Entry, Hit, StoreError
from rackwright_app.rag.stores.http import HttpStore, make_once

_BATCH = 256
_SUBJECT_BYTES = 512
# Until a collection is in memory, which it must be to be searched.
_LOADING_TRIES, _LOADING_SECONDS = 120, 0.25


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
        condition = f"subject == {_text(subject)}"
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
        if not self._ready:
            await make_once(self._is_there, self._make)
            await self._load()
            self._ready = True

    async def _is_there(self) -> bool:
        return bool((await self._ask("collections/has", {}))["has"])

    async def _make(self) -> None:
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
        body = {
            "schema": {"autoId": False, "fields": fields},
            "indexParams": [index],
            # Who has just sent a document in asks about it next.
            "params": {"consistencyLevel": "Strong"},
        }
        await self._ask("collections/create", body)

    async def _load(self) -> None:
        for _ in range(_LOADING_TRIES):
            state = (await self._ask("collections/get_load_state", {}))["loadState"]
            if state == "LoadStateLoaded":
                return
            if state == "LoadStateNotLoad":
                await self._ask("collections/load", {})
            await asyncio.sleep(_LOADING_SECONDS)
        raise StoreError("the collection is not in memory")

    async def _ask(self, what: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever it answers
        answer = await self._store.ask("POST", f"/v2/vectordb/{what}", {"collectionName": self._name, **body})
        if not isinstance(answer, dict) or answer.get("code") != 0:
            raise StoreError(f"{what}: code {answer.get('code') if isinstance(answer, dict) else None}")
        return answer.get("data")


def _text(value: str) -> str:
    """Returns a text of JSON, which is one of Milvus' expressions too: nothing in a name ends it early.

    Characters beyond the basic plane stay as they are: their escapes in JSON are two halves, which Milvus
    does not take.
    """
    return json.dumps(value, ensure_ascii=False)
