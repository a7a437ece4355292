"""The vector store in use, which is known once the first vector has told its length."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

import httpx

from rackwright_app.database.pool import Pool
from rackwright_app.errors import ApiError
from rackwright_app.rag.models import ModelError, Models
from rackwright_app.rag.settings import Rag
from rackwright_app.rag.stores.base import StoreError, VectorStore
from rackwright_app.rag.stores.make import collection_name, make_store


class Vectors:
    """Hands out the store of the embedding model's collection."""

    def __init__(self, settings: Rag, models: Models, pool: Pool, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._models = models
        self._pool = pool
        self._client = client
        self._stores: dict[int, VectorStore] = {}

    def check_enabled(self) -> None:
        """Refuses when the site has no embedding model.

        Raises:
            ApiError: 501.
        """
        if not self._settings.embedding.model:
            raise ApiError(
                HTTPStatus.NOT_IMPLEMENTED,
                "no_embedding_model",
                "This site has no embedding model, so documents cannot be searched.",
            )

    def store_for(self, dimensions: int) -> VectorStore:
        """Returns the store of vectors of a length."""
        if dimensions not in self._stores:
            name = collection_name(
                self._settings.store.collection, self._settings.embedding.model, dimensions
            )
            self._stores[dimensions] = make_store(
                self._settings.store, pool=self._pool, client=self._client, name=name, dimensions=dimensions
            )
        return self._stores[dimensions]

    async def remove(self, document: UUID) -> None:
        """Forgets a document's vectors.

        Raises:
            StoreError: The store is away, or the model, whose vectors' length must be known.
        """
        if not self._stores:
            try:
                self.store_for(len(await self._models.embed_question("length")))
            except ModelError as error:
                raise StoreError("the length of the vectors is not known") from error
        for store in self._stores.values():
            await store.remove(document)
