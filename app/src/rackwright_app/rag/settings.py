"""How documents are taken in and found again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AnyHttpUrl, Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from rackwright_app.section import Section

StoreKind = Literal["pgvector", "chroma", "qdrant", "milvus", "weaviate"]


class VectorStore(Section):
    """Where the vectors are kept."""

    kind: StoreKind = "pgvector"
    url: AnyHttpUrl | None = None
    """Of any kind but pgvector, which is the app's own PostgreSQL."""
    api_key: SecretStr = SecretStr("")
    ca: Path | None = None
    collection: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")] = "rackwright"
    """What the names of its collections begin with; model and dimensions follow."""
    timeout_seconds: PositiveFloat = 10

    @model_validator(mode="after")
    def _elsewhere_needs_an_address(self) -> Self:
        if self.kind != "pgvector" and self.url is None:
            raise ValueError(f"store.url is needed with kind {self.kind}")
        return self


class Model(Section):
    """A model of the engines' route that is asked besides the one that chats."""

    model: str = ""
    urls: tuple[AnyHttpUrl, ...] = ()
    """The engine's own addresses when empty."""
    timeout_seconds: PositiveFloat = 60


class Embedding(Model):
    """The model that turns texts into vectors; without a name there is no retrieval."""

    batch: Annotated[int, Field(ge=1, le=256)] = 16
    query_prefix: str = ""
    """What some models want before a question, such as ``search_query: `` (nomic-embed-text)."""
    document_prefix: str = ""


class Rag(Section):
    """All of retrieval."""

    store: VectorStore = VectorStore()
    embedding: Embedding = Embedding()
    rerank: Model = Model()
    """A cross-encoder; without a name the words decide (``rag.rerank``)."""
    chunk_characters: Annotated[int, Field(ge=300, le=800)] = 500
    overlap_characters: Annotated[int, Field(ge=0, le=250)] = 100
    candidates: Annotated[int, Field(ge=5, le=200)] = 40
    """How many pieces each of the two searches brings."""
    top: Annotated[int, Field(ge=1, le=20)] = 5
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.7
    upload_bytes: PositiveInt = 50_000_000
    documents_per_user: PositiveInt = 1_000
    pages: PositiveInt = 2_000
    characters: PositiveInt = 5_000_000
    """Longest text of one document."""
    parse_seconds: PositiveInt = 60
    parse_memory_mb: Annotated[int, Field(ge=128)] = 384
    """Address space of the process that takes a document apart."""
