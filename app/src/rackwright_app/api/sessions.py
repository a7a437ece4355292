"""``GET /api/sessions`` and ``GET /api/sessions/{id}``."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from rackwright_app.api.access import Caller, Held, documented_bearer
from rackwright_app.api.answering import SourceFound
from rackwright_app.database.conversations import Session, Turn, TurnStatus
from rackwright_app.errors import ApiError

router = APIRouter(prefix="/api", tags=["sessions"], dependencies=[documented_bearer])


class SessionSummary(BaseModel):
    """A conversation in a list."""

    id: UUID
    title: str
    created_at: datetime
    updated_at: datetime


class SessionList(BaseModel):
    """One page of the caller's conversations, the last used first."""

    sessions: list[SessionSummary]


class SessionMessage(BaseModel):
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: str
    status: TurnStatus
    created_at: datetime
    sources: list[SourceFound] | None = None


class SessionDetail(SessionSummary):
    """A conversation with its messages, oldest first."""

    messages: list[SessionMessage]


@router.get("/sessions", summary="List your conversations")
async def sessions(
    caller: Caller,
    held: Held,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[
        AwareDatetime | None, Query(description="`updated_at` of the last one of a page.")
    ] = None,
) -> SessionList:
    """Lists the caller's conversations, the last used first."""
    found = await held.conversations.sessions(caller.subject, limit=limit, before=before)
    return SessionList(sessions=[_summary(session) for session in found])


@router.get("/sessions/{session}", summary="Read one of your conversations")
async def session(session: UUID, caller: Caller, held: Held) -> SessionDetail:
    """Returns one of the caller's conversations; another user's does not exist."""
    found = await held.conversations.session(caller.subject, session)
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "no_such_session", "There is no such session.")
    head, turns = found
    messages = [message for turn in turns for message in _messages(turn)]
    return SessionDetail(**_summary(head).model_dump(), messages=messages)


def _summary(session: Session) -> SessionSummary:
    return SessionSummary(
        id=session.id, title=session.title, created_at=session.created_at, updated_at=session.updated_at
    )


def _messages(turn: Turn) -> list[SessionMessage]:
    asked = SessionMessage(role="user", content=turn.question, status="complete", created_at=turn.created_at)
    answered = SessionMessage(
        role="assistant",
        content=turn.answer,
        status=turn.status,
        created_at=turn.created_at,
        sources=None
        if turn.sources is None
        else [SourceFound.model_validate(source) for source in turn.sources],
    )
    return [asked, answered]
