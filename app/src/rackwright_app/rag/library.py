"""Takes documents in and forgets them."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import IO
from uuid import UUID

import structlog

from rackwright_app import metrics
from rackwright_app.bounded import BoundedError, run_bounded
from rackwright_app.database.documents import Document, Documents
from rackwright_app.errors import ApiError, UnavailableError
from rackwright_app.rag.chunks import Chunk, chunks_of
from rackwright_app.rag.formats import FormatError, display_name, kind_of
from rackwright_app.rag.models import ModelError, Models
from rackwright_app.rag.settings import Rag
from rackwright_app.rag.stores.base import Entry, StoreError
from rackwright_app.rag.vectors import Vectors

_HEAD_BYTES = 4096
_REFUSED = {
    "timeout": "The document takes too long to read.",
    "memory": "The document takes too much memory to read.",
    "crashed": "The document cannot be read.",
}
_log = structlog.get_logger(__name__)


class Library:
    """The documents of all users."""

    def __init__(self, settings: Rag, documents: Documents, models: Models, vectors: Vectors) -> None:
        self._settings = settings
        self._documents = documents
        self._models = models
        self._vectors = vectors
        # Taking a document apart is work of the processor: one at a time in a worker, the others wait.
        self._one = asyncio.Semaphore(1)

    async def add(self, subject: str, filename: str | None, size_bytes: int, content: IO[bytes]) -> Document:
        """Takes a document in.

        Args:
            subject: Whose it is.
            filename: What the client calls it.
            size_bytes: Its size.
            content: An open file of the operating system's.

        Raises:
            ApiError: 415, 422 or 413, the document is not taken; 409, the user has too many; 503, a model or
                a store is away.
        """
        outcome = "failed"
        try:
            document = await self._add(subject, display_name(filename), size_bytes, content)
        except ApiError as error:
            outcome = "refused" if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"
            raise
        else:
            outcome = "ready"
            return document
        finally:
            metrics.UPLOADS.labels(outcome).inc()

    async def remove(self, subject: str, document: UUID) -> None:
        """Forgets a document of a user.

        Raises:
            ApiError: 404, the user has no such document; 503, the store is away.
        """
        if not await self._documents.owns(subject, document):
            raise ApiError(HTTPStatus.NOT_FOUND, "no_such_document", "There is no such document.")
        try:
            await self._vectors.remove(document)
        except StoreError as error:
            raise UnavailableError("store") from error
        await self._documents.remove(document)

    async def _add(self, subject: str, name: str, size_bytes: int, content: IO[bytes]) -> Document:
        self._vectors.check_enabled()
        head = content.read(_HEAD_BYTES)
        content.seek(0)
        try:
            kind = kind_of(name, head)
        except FormatError as error:
            raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "document_kind", str(error)) from error
        if await self._documents.count(subject) >= self._settings.documents_per_user:
            raise ApiError(
                HTTPStatus.CONFLICT,
                "too_many_documents",
                f"You have {self._settings.documents_per_user} documents; remove one first.",
            )
        async with self._one:
            chunks = await self._chunks(kind, content)
        if not chunks:
            raise _unprocessable("document_empty", "The document holds no text (scanned pages are pictures).")
        document, numbers = await self._documents.add(
            subject, name=name, kind=kind, size_bytes=size_bytes, chunks=chunks
        )
        try:
            await self._embed(subject, document, numbers, chunks)
        except BaseException as error:
            # Also when the client goes: a document is there as a whole or not at all.
            await asyncio.shield(self._forget(document))
            if isinstance(error, ModelError):
                raise UnavailableError("embedding") from error
            if isinstance(error, StoreError):
                _log.warning("vectors not kept", reason=str(error))
                raise UnavailableError("store") from error
            raise
        return await self._documents.ready(document)

    async def _chunks(self, kind: str, content: IO[bytes]) -> list[Chunk]:
        settings = self._settings
        task = {"kind": kind, "pages": settings.pages, "characters": settings.characters}
        try:
            found = await run_bounded(
                "rackwright_app.rag.parse",
                task,
                seconds=settings.parse_seconds,
                memory_mb=settings.parse_memory_mb,
                source=content,
            )
        except BoundedError as error:
            raise _unprocessable("document_broken", _REFUSED[error.reason]) from error
        if "code" in found:
            raise _unprocessable(found["code"], found["message"])
        pages = [(number, text) for number, text in found["pages"]]
        return list(
            chunks_of(pages, characters=settings.chunk_characters, overlap=settings.overlap_characters)
        )

    async def _embed(self, subject: str, document: UUID, numbers: list[int], chunks: list[Chunk]) -> None:
        texts = [f"{chunk.heading}\n{chunk.text}" if chunk.heading else chunk.text for chunk in chunks]
        vectors = await self._models.embed_documents(texts)
        entries = [Entry(number, document, vector) for number, vector in zip(numbers, vectors, strict=True)]
        store = self._vectors.store_for(len(vectors[0]))
        await store.add(subject, entries)

    async def _forget(self, document: UUID) -> None:
        try:
            await self._vectors.remove(document)
        except StoreError as error:
            # Vectors without their pieces are never shown; they only take space.
            _log.warning("vectors left behind", document=str(document), reason=str(error))
        await self._documents.remove(document)


def _unprocessable(code: str, message: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, code, message)
