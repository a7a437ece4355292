"""Asks the engines for embeddings and for the order of a cross-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from rackwright_app.rag.settings import Embedding, Model
from rackwright_app.settings import Engine

_log = structlog.get_logger(__name__)


class ModelError(Exception):
    """No engine answered as it should."""


class _Vector(BaseModel):
    index: int
    embedding: list[float]


class _Vectors(BaseModel):
    data: list[_Vector]


class _Rank(BaseModel):
    index: int
    relevance_score: float


class _Ranks(BaseModel):
    results: list[_Rank]


class Models:
    """The models of the route besides the one that chats."""

    def __init__(
        self, engine: Engine, embedding: Embedding, rerank: Model, client: httpx.AsyncClient
    ) -> None:
        self._engine = engine
        self._embedding = embedding
        self._rerank = rerank
        self._client = client

    async def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Returns the vectors of pieces of documents.

        Raises:
            ModelError: No engine answered as it should.
        """
        found: list[list[float]] = []
        for first in range(0, len(texts), self._embedding.batch):
            some = texts[first : first + self._embedding.batch]
            found += await self._embed([self._embedding.document_prefix + text for text in some])
        return found

    async def embed_question(self, question: str) -> list[float]:
        """Returns the vector of a question.

        Raises:
            ModelError: No engine answered as it should.
        """
        return (await self._embed([self._embedding.query_prefix + question]))[0]

    @property
    def reranks(self) -> bool:
        """Whether there is a cross-encoder."""
        return bool(self._rerank.model)

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """Returns what a cross-encoder says of each text, by the interface of Jina and Cohere.

        Raises:
            ModelError: No engine answered as it should.
        """
        body = {"model": self._rerank.model, "query": question, "documents": list(texts), "top_n": len(texts)}
        answer = await self._ask(self._rerank, "rerank", body)
        try:
            ranks = {rank.index: rank.relevance_score for rank in _Ranks.model_validate(answer).results}
            return [ranks[number] for number in range(len(texts))]
        except (ValidationError, KeyError) as error:
            raise ModelError("the ranks are not complete") from error

    async def _embed(self, texts: list[str]) -> list[list[float]]:
        answer = await self._ask(
            self._embedding, "embeddings", {"model": self._embedding.model, "input": texts}
        )
        try:
            vectors = sorted(_Vectors.model_validate(answer).data, key=lambda vector: vector.index)
        except ValidationError as error:
            raise ModelError("no embeddings in the answer") from error
        lengths = {len(vector.embedding) for vector in vectors}
        if len(vectors) != len(texts) or len(lengths) != 1 or 0 in lengths:
            raise ModelError(f"{len(texts)} embeddings were asked for")
        return [vector.embedding for vector in vectors]

    async def _ask(self, model: Model, what: str, body: dict[str, Any]) -> object:
        key = self._engine.api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        waits = httpx.Timeout(model.timeout_seconds, connect=self._engine.connect_seconds)
        failure = "no address"
        for url in model.urls or self._engine.urls:
            try:
                answer = await self._client.post(
                    f"{str(url).rstrip('/')}/{what}", json=body, headers=headers, timeout=waits
                )
            except httpx.HTTPError as error:
                failure = type(error).__name__
                continue
            if answer.status_code == HTTPStatus.OK:
                try:
                    return answer.json()
                except ValueError:
                    failure = "no JSON"
                    continue
            failure = f"status {answer.status_code}"
        _log.warning("model failed", model=model.model, asked=what, reason=failure)
        raise ModelError(failure)
