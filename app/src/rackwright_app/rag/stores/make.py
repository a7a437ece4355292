"""Chooses the store that the settings name."""

from __future__ import annotations

import hashlib
from importlib import import_module
from typing import Any, cast

import httpx

from rackwright_app.database.pool import Pool
from rackwright_app.rag.settings import VectorStore as StoreSettings
from rackwright_app.rag.stores.base import VectorStore


def collection_name(prefix: str, model: str, dimensions: int) -> str:
    """Returns the name of a model's own collection: vectors of two models are never compared.

    Args:
        prefix: The setting ``store.collection``.
        model: Name of the embedding model.
        dimensions: Length of its vectors.
    """
    return f"{prefix}_{dimensions}_{hashlib.sha256(model.encode()).hexdigest()[:8]}"


def make_store(
    settings: StoreSettings, *, pool: Pool, client: httpx.AsyncClient, name: str, dimensions: int
) -> VectorStore:
    """Makes the store of one collection; it is asked when it is used first.

    Args:
        settings: Kind and address.
        pool: The app's PostgreSQL.
        client: Trusts the store's certificate.
        name: The collection's.
        dimensions: Length of its vectors.
    """
    if settings.kind == "pgvector":
        from rackwright_app.rag.stores.pgvector import PgVector  # noqa: PLC0415 - a worker loads one kind

        return PgVector(pool, name, dimensions)
    module = import_module(f"rackwright_app.rag.stores.{settings.kind}")
    made: Any = getattr(module, settings.kind.capitalize())
    sized = {"dimensions": dimensions} if settings.kind in {"qdrant", "milvus"} else {}
    return cast(
        "VectorStore",
        made(client, str(settings.url), settings.api_key.get_secret_value(), name=name, **sized),
    )
