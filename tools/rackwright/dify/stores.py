"""The vector stores that both the site and Dify know, and what Dify is told of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rackwright.dify.options import Options
from rackwright.errors import RackwrightError


@dataclass(frozen=True)
class Told:
    """Variables of the api and the worker: open ones, and secret ones."""

    environment: dict[str, str]
    secret: dict[str, str]


# The site has the store, and Dify's client for it cannot speak to it as the site runs it.
UNUSABLE: Mapping[str, str] = {
    "chroma": "Dify's client speaks Chroma 0.5's interface without TLS, the site's Chroma neither",
    "milvus": "not tried with the site's Milvus yet",
    "weaviate": "not tried with the site's Weaviate yet",
}


def _pgvector(options: Options) -> Told:
    database = options.database
    return Told(
        {
            "VECTOR_STORE": "pgvector",
            "PGVECTOR_HOST": str(database.host),
            "PGVECTOR_PORT": str(database.port),
            "PGVECTOR_USER": database.user,
            "PGVECTOR_DATABASE": database.name,
            "PGVECTOR_MIN_CONNECTION": "1",
            "PGVECTOR_MAX_CONNECTION": "5",
            "PGVECTOR_PG_BIGM": "false",
        },
        {"PGVECTOR_PASSWORD": database.password},
    )


def _qdrant(options: Options) -> Told:
    store = options.vector_store
    return Told(
        {
            "VECTOR_STORE": "qdrant",
            "QDRANT_URL": store.urls[0],
            "QDRANT_CLIENT_TIMEOUT": "20",
            "QDRANT_GRPC_ENABLED": "false",
            # The release's default is 1 copy, on a cluster too.
            "QDRANT_REPLICATION_FACTOR": str(store.replicas),
        },
        {"QDRANT_API_KEY": store.api_key},
    )


STORES: Mapping[str, Callable[[Options], Told]] = {"pgvector": _pgvector, "qdrant": _qdrant}


def told(options: Options) -> Told:
    """Return what the api is told of its vector store.

    Raises:
        RackwrightError: Dify cannot use the store, or nobody runs it.
    """
    store = options.vector_store
    known = ", ".join(STORES)
    if store.kind not in STORES:
        why = UNUSABLE.get(store.kind, "Dify or the site does not know it")
        raise RackwrightError(
            f"dify_vectors is {store.kind}: {why}",
            hint=f"write one of {known}; pgvector is in the site's PostgreSQL, whatever the app has",
        )
    if store.kind != "pgvector" and not store.urls:
        raise RackwrightError(
            f"dify_vectors is {store.kind}, and no host of the site runs it",
            hint=f"set vector_store: {store.kind} and put hosts into that group, or write pgvector",
        )
    return STORES[store.kind](options)
