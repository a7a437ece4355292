"""``POST /api/chat``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from rackwright_app.api.access import Caller, Held, documented_bearer
from rackwright_app.errors import ApiError
from rackwright_app.streaming import ClientGoneError, EventStream, while_connected

router = APIRouter(prefix="/api", tags=["chat"], dependencies=[documented_bearer])

# What nginx logs for the same event; nobody is left to read it.
_CLIENT_CLOSED = 499


class ChatRequest(BaseModel):
    """A message to the model."""

    model_config = ConfigDict(extra="forbid")

    message: str
    session: Annotated[
        UUID | None, Field(description="A session of yours to go on with; a new one without it.")
    ] = None
    stream: Annotated[bool, Field(description="Answer as server-sent events, or as one JSON object.")] = True

    @field_validator("message")
    @classmethod
    def _can_be_kept(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError("may not hold NUL characters")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("holds half of a surrogate pair") from error
        return value


class Usage(BaseModel):
    """Tokens read and written; None when the engine does not count them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class ChatAnswer(BaseModel):
    """A whole answer (``stream: false``)."""

    session: UUID
    answer: str
    finish_reason: str
    usage: Usage
    seconds: float


@router.post(
    "/chat",
    response_model=ChatAnswer,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    summary="Ask the model",
)
async def chat(body: ChatRequest, request: Request, caller: Caller, held: Held) -> Response:
    """Answers a message, as a stream of events or as one JSON object.

    Events: ``session`` with its id, ``token`` with the next piece of ``text``, ``done`` with usage; or
        ``error`` with
    code and message. Lines that begin with a colon keep the connection alive.
    """
    _check_length(body.message, held.settings.limits.message_characters)
    question = await held.chat.ask(caller.subject, body.message, body.session)
    if body.stream:
        return EventStream(
            lambda emit: held.chat.stream(question, emit), keepalive_seconds=held.settings.keepalive_seconds
        )
    try:
        answer = await while_connected(request.receive, held.chat.answer(question))
    except ClientGoneError:
        request.state.aborted = True
        return Response(status_code=_CLIENT_CLOSED)
    return JSONResponse(
        ChatAnswer(
            session=question.session,
            answer=answer.text,
            finish_reason=answer.reason,
            usage=Usage(**answer.usage),
            seconds=answer.seconds,
        ).model_dump(mode="json")
    )


def _check_length(message: str, longest: int) -> None:
    if not message.strip():
        raise ApiError(HTTPStatus.BAD_REQUEST, "empty_message", "The message is empty.")
    if len(message) > longest:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "message_too_long",
            f"The message has {len(message)} characters; {longest} are allowed.",
        )
