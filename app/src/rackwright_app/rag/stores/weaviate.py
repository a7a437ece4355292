"""Vectors in Weaviate, by its REST API and, for searches, its GraphQL."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from rackwright_app.rag.stores.base import Entry, Hit, StoreError
from rackwright_app.rag.stores.http import HttpStore, make_once

_BATCH = 200
_IDS = uuid.UUID("6f1d1f2e-6f52-4b7c-9f0e-2a6f3f0f7c11")


class Weaviate:
    """A class for each model; it computes no vectors itself."""

    def __init__(self, client: httpx.AsyncClient, url: str, api_key: str, name: str) -> None:
        self._store = HttpStore(client, url, {"Authorization": f"Bearer {api_key}"} if api_key else {})
        # Names of classes begin with a capital.
        self._class = name.capitalize()
        self._ready = False

    async def add(self, subject: str, entries: Sequence[Entry]) -> None:
        """See ``VectorStore``."""
        await self._prepare()
        for first in range(0, len(entries), _BATCH):
            objects = [
                {
                    "class": self._class,
                    "id": str(uuid.uuid5(_IDS, str(entry.chunk))),
                    "properties": {
                        "chunk": entry.chunk,
                        "subject": subject,
                        "document": str(entry.document),
                    },
                    "vector": list(entry.vector),
                }
                for entry in entries[first : first + _BATCH]
            ]
            for result in await self._store.ask("POST", "/v1/batch/objects", {"objects": objects}):
                if (result.get("result") or {}).get("errors"):
                    raise StoreError("an object was refused")

    async def search(
        self, subject: str, vector: Sequence[float], *, limit: int, documents: Sequence[UUID] | None
    ) -> list[Hit]:
        """See ``VectorStore``."""
        await self._prepare()
        operands = [_equal("subject", subject)]
        if documents is not None:
            any_of = ", ".join(_equal("document", str(document)) for document in documents)
            operands.append(f"{{operator: Or, operands: [{any_of}]}}")
        numbers = ", ".join(f"{value:.7g}" for value in vector)
        question = (
            f"{{ Get {{ {self._class}(limit: {limit}, nearVector: {{vector: [{numbers}]}},"
            f" where: {{operator: And, operands: [{', '.join(operands)}]}})"
            " { chunk _additional { distance } } } }"
        )
        answer = await self._store.ask("POST", "/v1/graphql", {"query": question})
        if answer.get("errors"):
            raise StoreError("the search was refused")
        found: list[dict[str, Any]] = answer["data"]["Get"][self._class] or []
        return [Hit(int(row["chunk"]), 1 - float(row["_additional"]["distance"])) for row in found]

    async def remove(self, document: UUID) -> None:
        """See ``VectorStore``."""
        await self._prepare()
        where = {"path": ["document"], "operator": "Equal", "valueText": str(document)}
        await self._store.ask(
            "DELETE", "/v1/batch/objects", {"match": {"class": self._class, "where": where}}
        )

    async def _prepare(self) -> None:
        if not self._ready:
            await make_once(self._is_there, self._make)
            self._ready = True

    async def _is_there(self) -> bool:
        return await self._store.ask("GET", f"/v1/schema/{self._class}", missing_is_none=True) is not None

    async def _make(self) -> None:
        # Whole values, not words: a user's name may hold any character.
        text = {"dataType": ["text"], "tokenization": "field"}
        properties = [
            {"name": "chunk", "dataType": ["int"]},
            {"name": "subject", **text},
            {"name": "document", **text},
        ]
        body = {
            "class": self._class,
            "vectorizer": "none",
            "vectorIndexConfig": {"distance": "cosine"},
            "properties": properties,
        }
        await self._store.ask("POST", "/v1/schema", body)


def _equal(name: str, value: str) -> str:
    # JSON's texts are GraphQL's too.
    return f'{{path: ["{name}"], operator: Equal, valueText: {json.dumps(value)}}}'
