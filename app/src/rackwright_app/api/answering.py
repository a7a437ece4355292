"""Sends an answer: as a stream, or as one JSON object."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from rackwright_app.api.access import Services
from rackwright_app.chat import Question
from rackwright_app.streaming import ClientGoneError, EventStream, while_connected

# What nginx logs for the same event; nobody is left to read it.
CLIENT_CLOSED = 499
_EVENT = {
    "type": "object",
    "description": "Each event; `data` is a JSON object.",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["event", "data"],
}
STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": _EVENT}}}}


class Usage(BaseModel):
    """Tokens read and written; None when the engine does not count them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class SourceFound(BaseModel):
    """A piece of a document that an answer stands on."""

    number: Annotated[int, Field(description="Its number in the answer's citations.")]
    document: UUID
    name: str
    chunk: Annotated[int, Field(description="Which piece of the document, from 0.")]
    page: int | None
    heading: str
    text: str
    score: Annotated[float, Field(description="How well it answers, 0 to 1.")]


class ChatAnswer(BaseModel):
    """A whole answer (``stream: false``)."""

    session: UUID
    answer: str
    finish_reason: str
    usage: Usage
    seconds: float


class GroundedAnswer(ChatAnswer):
    """A whole answer that stands on documents."""

    sources: list[SourceFound]
    citations: Annotated[list[int], Field(description="Numbers of the sources that the answer names.")]


async def send_answer(question: Question, *, stream: bool, request: Request, held: Services) -> Response:
    """Answers a question that has been noted."""
    if stream:
        return EventStream(
            lambda emit: held.chat.stream(question, emit), keepalive_seconds=held.settings.keepalive_seconds
        )
    try:
        answer = await while_connected(request.receive, held.chat.answer(question))
    except ClientGoneError:
        request.state.aborted = True
        return Response(status_code=CLIENT_CLOSED)
    whole = {
        "session": question.session,
        "answer": answer.text,
        "finish_reason": answer.reason,
        "usage": Usage(**answer.usage),
        "seconds": answer.seconds,
    }
    if question.sources is None:
        return JSONResponse(ChatAnswer(**whole).model_dump(mode="json"))
    sources = [SourceFound.model_validate(source.as_json()) for source in question.sources]
    grounded = GroundedAnswer(**whole, sources=sources, citations=answer.citations)
    return JSONResponse(grounded.model_dump(mode="json"))
