"""Answers a message: keeps it, asks an engine, passes the answer on and keeps that too."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import structlog

from rackwright_app import metrics
from rackwright_app.database.conversations import Conversations, TurnStatus
from rackwright_app.engine import EngineClient, EngineError, Finished, Kind, Message, Piece
from rackwright_app.errors import ApiError
from rackwright_app.history import compose
from rackwright_app.settings import Settings
from rackwright_app.streaming import Emit, Event

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Question:
    """A message that has been noted and waits for its answer."""

    session: UUID
    turn: int
    messages: list[Message]


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        text: What the engine wrote.
        reason: Why it ended: ``stop`` or ``length``.
        usage: Tokens by kind; empty when the engine does not count.
        seconds: Time from asking to the end.
    """

    text: str
    reason: str
    usage: dict[str, int]
    seconds: float


class AnswerError(ApiError):
    """An answer could not be had, or broke off."""

    def __init__(self, kind: Kind) -> None:
        status, code, message = _FAILURES.get(kind, _FAILURES["status"])
        super().__init__(status, code, message)


_FAILURES: dict[Kind, tuple[HTTPStatus, str, str]] = {
    "connect": (HTTPStatus.BAD_GATEWAY, "engine_unavailable", "No model server can be reached."),
    "status": (HTTPStatus.BAD_GATEWAY, "engine_failed", "The model server could not answer."),
    "protocol": (HTTPStatus.BAD_GATEWAY, "engine_failed", "The model server could not answer."),
    "broken": (HTTPStatus.BAD_GATEWAY, "engine_broke_off", "The model server broke off its answer."),
    "timeout": (HTTPStatus.GATEWAY_TIMEOUT, "engine_timeout", "The model server took too long."),
    "refused": (
        HTTPStatus.BAD_GATEWAY,
        "engine_refused",
        "The model server did not take the message; it may be longer than the model's context.",
    ),
}


class Chat:
    """The conversation service."""

    def __init__(self, settings: Settings, conversations: Conversations, engine: EngineClient) -> None:
        self._settings = settings
        self._conversations = conversations
        self._engine = engine

    async def ask(self, subject: str, message: str, session: UUID | None) -> Question:
        """Notes a message and puts together what the engine gets.

        Args:
            subject: The user's name.
            message: What the user wrote.
            session: The conversation it belongs to, None for a new one.

        Returns:
            The question.

        Raises:
            ApiError: 404, the user has no such session.
        """
        begun = await self._conversations.begin(subject, message, session)
        if begun is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "no_such_session", "There is no such session.")
        number, turn = begun
        turns = self._settings.history.turns
        earlier = (
            await self._conversations.recent(number, before=turn, turns=turns) if session and turns else []
        )
        engine = self._settings.engine
        messages = compose(
            earlier,
            message,
            system_prompt=engine.system_prompt,
            budget_tokens=engine.context_tokens - engine.answer_tokens,
        )
        return Question(number, turn, messages)

    async def stream(self, question: Question, emit: Emit) -> None:
        """Emits the answer: ``session``, then ``token`` for each piece, then ``done`` or ``error``."""
        await emit(Event("session", {"session": str(question.session)}))
        try:
            answer = await self.answer(question, emit)
        except AnswerError as error:
            await emit(Event("error", {"code": error.code, "message": error.message}))
            return
        await emit(
            Event(
                "done",
                {
                    "session": str(question.session),
                    "finish_reason": answer.reason,
                    "usage": answer.usage,
                    "seconds": answer.seconds,
                },
            )
        )

    async def answer(self, question: Question, emit: Emit | None = None) -> Answer:
        """Asks an engine and keeps what it answers, also what it had written when it was interrupted.

        Args:
            question: What ``ask`` returned.
            emit: Gets each piece as it comes, None to wait for the whole.

        Returns:
            The whole answer.

        Raises:
            AnswerError: No engine could answer, or the one that did broke off.
        """
        began = time.monotonic()
        pieces: list[str] = []
        status: TurnStatus = "interrupted"
        end: Finished | None = None
        metrics.OPEN_STREAMS.inc()
        try:
            async with asyncio.timeout(self._settings.engine.answer_seconds):
                end = await self._collect(question.messages, pieces, emit)
            status = "complete"
        except (EngineError, TimeoutError) as error:
            status = "failed"
            raise AnswerError(error.kind if isinstance(error, EngineError) else "timeout") from error
        finally:
            seconds = time.monotonic() - began
            metrics.OPEN_STREAMS.dec()
            metrics.INFERENCE_SECONDS.labels(status).observe(seconds)
            usage = _usage(end)
            for kind, tokens in usage.items():
                metrics.TOKENS.labels(kind).inc(tokens)
            await self._conversations.finish(question.turn, "".join(pieces), status, **usage)
            _log.info(
                "answered",
                session=str(question.session),
                outcome=status,
                seconds=round(seconds, 3),
                **usage,
            )
        return Answer("".join(pieces), end.reason, usage, round(seconds, 3))

    async def _collect(self, messages: list[Message], pieces: list[str], emit: Emit | None) -> Finished:
        began = time.monotonic()
        async with aclosing(self._engine.answer(messages)) as parts:
            async for part in parts:
                if isinstance(part, Finished):
                    return part
                if not pieces:
                    metrics.FIRST_TOKEN_SECONDS.observe(time.monotonic() - began)
                await self._pass_on(part, pieces, emit)
        raise EngineError("broken", "the answer ended without its end")

    async def _pass_on(self, part: Piece, pieces: list[str], emit: Emit | None) -> None:
        pieces.append(part.text)
        if emit is not None:
            await emit(Event("token", {"text": part.text}))


def _usage(end: Finished | None) -> dict[str, int]:
    if end is None or end.prompt_tokens is None or end.completion_tokens is None:
        return {}
    return {"prompt_tokens": end.prompt_tokens, "completion_tokens": end.completion_tokens}
