"""Finds the pieces of documents that answer a question."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from rackwright_app import metrics
from rackwright_app.database.documents import Documents, Piece
from rackwright_app.errors import UnavailableError
from rackwright_app.rag.models import ModelError, Models
from rackwright_app.rag.ranking import certainty, coverage, fuse, logistic
from rackwright_app.rag.settings import Rag
from rackwright_app.rag.stores.base import StoreError
from rackwright_app.rag.vectors import Vectors
from rackwright_app.rag.words import words_of

# How many of the fused order a cross-encoder reads, or the words judge.
_JUDGED = 20
_WORDS = 64
# Vectors know what is meant, words only what is said: they decide among those that are about as near.
_WORDS_WEIGHT = 0.3
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Source:
    """A piece that passed the threshold.

    Attributes:
        number: Its number in the answer's citations, from 1.
        piece: The piece.
        score: 0 to 1, what the threshold was held against.
        cosine: Of the angle to the question; None when only its words were found.
    """

    number: int
    piece: Piece
    score: float
    cosine: float | None

    def as_json(self) -> dict[str, object]:
        """Returns it as answers show it."""
        piece = self.piece
        return {
            "number": self.number,
            "document": str(piece.document),
            "name": piece.name,
            "chunk": piece.position,
            "page": piece.page,
            "heading": piece.heading,
            "text": piece.text,
            "score": round(self.score, 4),
        }


class Retrieval:
    """Hybrid search: vectors and words, fused, judged, cut off at the threshold."""

    def __init__(self, settings: Rag, documents: Documents, models: Models, vectors: Vectors) -> None:
        self._settings = settings
        self._documents = documents
        self._models = models
        self._vectors = vectors

    async def find(
        self,
        subject: str,
        question: str,
        *,
        top: int | None = None,
        threshold: float | None = None,
        documents: Sequence[UUID] | None = None,
    ) -> list[Source]:
        """Finds what a user's documents say about a question, the best first; often that is nothing.

        Args:
            subject: The user's name.
            question: What is asked.
            top: How many at most; the setting when None.
            threshold: Lowest score; the setting when None.
            documents: Only these of the user's documents; all when None.

        Raises:
            ApiError: 501, the site has no embedding model; 503, a model or store is away.
        """
        self._vectors.check_enabled()
        began = time.monotonic()
        try:
            found = await self._find(subject, question, documents)
        except ModelError as error:
            raise UnavailableError("embedding") from error
        except StoreError as error:
            _log.warning("search failed", reason=str(error))
            raise UnavailableError("store") from error
        least = self._settings.threshold if threshold is None else threshold
        passed = [each for each in found if each[1] >= least][: top or self._settings.top]
        metrics.RETRIEVAL_SECONDS.observe(time.monotonic() - began)
        metrics.RETRIEVALS.labels("hit" if passed else "miss").inc()
        return [
            Source(number, piece, score, cosine) for number, (piece, score, cosine) in enumerate(passed, 1)
        ]

    async def _find(
        self, subject: str, question: str, documents: Sequence[UUID] | None
    ) -> list[tuple[Piece, float, float | None]]:
        many = self._settings.candidates

        async def by_vector() -> dict[int, float]:
            vector = await self._models.embed_question(question)
            store = self._vectors.store_for(len(vector))
            hits = await store.search(subject, vector, limit=many, documents=documents)
            return {hit.chunk: hit.cosine for hit in hits}

        words = list(dict.fromkeys(words_of(question)))[:_WORDS]
        cosines, by_words = await asyncio.gather(
            by_vector(), self._documents.search(subject, words, limit=many, documents=documents)
        )
        order = fuse(list(cosines), by_words)[:_JUDGED]
        pieces = await self._documents.pieces(subject, order)
        kept = [pieces[number] for number in order if number in pieces]
        judged = zip(kept, await self._judge(question, kept, cosines), strict=True)
        # Sorting keeps the fused order among equals.
        ordered = sorted(judged, key=lambda each: -each[1][1])
        return [(piece, score, cosines.get(piece.id)) for piece, (score, _) in ordered]

    async def _judge(
        self, question: str, pieces: Sequence[Piece], cosines: dict[int, float]
    ) -> list[tuple[float, float]]:
        """Says of each piece how well it answers, 0 to 1, and where it stands in the order.

        By the cross-encoder; without one by vector and words: being near in one way is enough to pass, being
        near in both puts a piece first.
        """
        if not pieces:
            return []
        texts = [f"{piece.heading}\n{piece.text}" for piece in pieces]
        if self._models.reranks:
            try:
                ranks = await self._models.rerank(question, texts)
                # Some engines answer with the logistic function applied, others with its argument.
                whole = all(0 <= rank <= 1 for rank in ranks)
                return [(score, score) for score in (ranks if whole else map(logistic, ranks))]
            except ModelError:
                # The search goes on without its finest sieve; `models` has logged it.
                metrics.RERANK_FALLBACKS.inc()
        shares = coverage(question, texts)
        near = [certainty(cosines[piece.id]) if piece.id in cosines else 0.0 for piece in pieces]
        return [(max(a, b), a + _WORDS_WEIGHT * b) for a, b in zip(near, shares, strict=True)]
