"""``POST /api/chat``."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from rackwright_app.api.access import Caller, Held, documented_bearer
from rackwright_app.api.answering import STREAMED, ChatAnswer, send_answer
from rackwright_app.api.questions import check_message
from rackwright_app.texts import Text

router = APIRouter(prefix="/api", tags=["chat"], dependencies=[documented_bearer])


class ChatRequest(BaseModel):
    """A message to the model."""

    model_config = ConfigDict(extra="forbid")

    message: Text
    session: Annotated[
        UUID | None, Field(description="A session of yours to go on with; a new one without it.")
    ] = None
    stream: Annotated[bool, Field(description="Answer as server-sent events, or as one JSON object.")] = True


@router.post("/chat", response_model=ChatAnswer, responses=STREAMED, summary="Ask the model")
async def chat(body: ChatRequest, request: Request, caller: Caller, held: Held) -> Response:
    """Answers a message, as a stream of events or as one JSON object.

    Events: ``session`` with its id, ``token`` with the next piece of ``text``, ``done`` with usage; or
    ``error`` with code and message. Lines that begin with a colon keep the connection alive.
    """
    check_message(body.message, held)
    question = await held.chat.ask(caller.subject, body.message, body.session)
    return await send_answer(question, stream=body.stream, request=request, held=held)
