"""Documents: sent in, listed, removed, and asked."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rackwright_app.api.access import Caller, Held, documented_bearer
from rackwright_app.api.answering import STREAMED, GroundedAnswer, SourceFound, send_answer
from rackwright_app.api.questions import check_message
from rackwright_app.database.documents import Document
from rackwright_app.texts import Text

router = APIRouter(prefix="/api/rag", tags=["documents"], dependencies=[documented_bearer])
_DOCUMENTS = 50


class DocumentSummary(BaseModel):
    """A document of yours."""

    id: UUID
    name: str
    kind: Literal["pdf", "docx", "markdown", "text"]
    size_bytes: int
    chunks: int
    status: Literal["processing", "ready"]
    created_at: datetime


class DocumentList(BaseModel):
    """One page of the caller's documents, the newest first."""

    documents: list[DocumentSummary]


class Search(BaseModel):
    """What to look for in your documents."""

    model_config = ConfigDict(extra="forbid")

    question: Text
    documents: Annotated[
        list[UUID] | None, Field(max_length=_DOCUMENTS, description="Only these; all of yours without it.")
    ] = None
    top: Annotated[int | None, Field(ge=1, le=20, description="Sources at most.")] = None
    threshold: Annotated[float | None, Field(ge=0, le=1, description="Lowest score of a source.")] = None


class RagQuestion(Search):
    """A question that is to be answered from your documents."""

    session: Annotated[
        UUID | None, Field(description="A session of yours to go on with; a new one without it.")
    ] = None
    stream: Annotated[bool, Field(description="Answer as server-sent events, or as one JSON object.")] = True


class Found(BaseModel):
    """What was found, the best first."""

    sources: list[SourceFound]


@router.post("/upload", status_code=HTTPStatus.CREATED, summary="Send a document in")
async def upload(
    file: Annotated[UploadFile, File()], request: Request, caller: Caller, held: Held
) -> DocumentSummary:
    """Takes a PDF, DOCX, Markdown or text file in; it can be asked as soon as this answers."""
    # The body itself is no JSON, so this stands in the audit line.
    request.state.audit_body = {"file": file.filename, "size_bytes": file.size}
    # A parser in another process needs a file of the operating system's, not one in memory.
    rollover = getattr(file.file, "rollover", None)
    if rollover is not None:
        rollover()
    found = await held.library.add(caller.subject, file.filename, file.size or 0, file.file)
    return _summary(found)


@router.get("/documents", summary="List your documents")
async def documents(
    caller: Caller,
    held: Held,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[
        AwareDatetime | None, Query(description="`created_at` of the last one of a page.")
    ] = None,
) -> DocumentList:
    """Lists the caller's documents, the newest first."""
    found = await held.documents.page(caller.subject, limit=limit, before=before)
    return DocumentList(documents=[_summary(document) for document in found])


@router.delete(
    "/documents/{document}", status_code=HTTPStatus.NO_CONTENT, summary="Remove one of your documents"
)
async def remove(document: UUID, caller: Caller, held: Held) -> Response:
    """Removes a document, its pieces and their vectors; another user's does not exist."""
    await held.library.remove(caller.subject, document)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/search", summary="Find pieces of your documents")
async def search(body: Search, caller: Caller, held: Held) -> Found:
    """Finds the pieces that a question is answered by, without asking the model."""
    check_message(body.question, held)
    sources = await held.retrieval.find(
        caller.subject, body.question, top=body.top, threshold=body.threshold, documents=body.documents
    )
    return Found(sources=[SourceFound.model_validate(source.as_json()) for source in sources])


@router.post("/query", response_model=GroundedAnswer, responses=STREAMED, summary="Ask your documents")
async def query(body: RagQuestion, request: Request, caller: Caller, held: Held) -> Response:
    """Answers a question from the caller's documents, with citations.

    Events are those of ``/api/chat`` with ``sources`` before the first ``token``, and ``citations`` in
    ``done``. When no source passes the threshold the model is not asked: ``finish_reason`` is
    ``no_sources``.
    """
    check_message(body.question, held)
    sources = await held.retrieval.find(
        caller.subject, body.question, top=body.top, threshold=body.threshold, documents=body.documents
    )
    question = await held.chat.ask(caller.subject, body.question, body.session, sources)
    return await send_answer(question, stream=body.stream, request=request, held=held)


def _summary(document: Document) -> DocumentSummary:
    return DocumentSummary(
        id=document.id,
        name=document.name,
        kind=document.kind,
        size_bytes=document.size_bytes,
        chunks=document.chunks,
        status=document.status,
        created_at=document.created_at,
    )
