"""Answers a message: keeps it, asks an engine, passes the answer on and keeps that too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

import structlog

from rackwright_app import metrics
from rackwright_app.database.conversations import Conversations, TurnStatus
from rackwright_app.engine import EngineClient, EngineError, Finished, Kind, Message
from rackwright_app.errors import ApiError
from rackwright_app.history import compose
from rackwright_app.output_filter import OutputFilter
from rackwright_app.rag.grounding import cited, grounded, within
from rackwright_app.rag.retrieval import Source
from rackwright_app.settings import Settings
from rackwright_app.streaming import Emit, Event

# Why an answer ended that was never begun.
NO_SOURCES = "no_sources"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Question:
    """A message that has been noted and waits for its answer."""

    session: UUID
    turn: int
    messages: list[Message]
    sources: Sequence[Source] | None = None
    """What the answer is to stand on; None when it need not stand on documents."""


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
    citations: list[int] = field(default_factory=list)
    """Numbers of the sources that it names."""


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

    async def ask(
        self, subject: str, message: str, session: UUID | None, sources: Sequence[Source] | None = None
    ) -> Question:
        """Notes a message and puts together what the engine gets.

        Args:
            subject: The user's name.
            message: What the user wrote.
            session: The conversation it belongs to, None for a new one.
            sources: Pieces of documents that the answer is to stand on; None for an answer without.

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
        budget = engine.context_tokens - engine.answer_tokens
        prompt = engine.system_prompt
        if sources:
            sources = within(sources, budget // 2)
            prompt = grounded(prompt, sources)
        messages = compose(earlier, message, system_prompt=prompt, budget_tokens=budget)
        return Question(number, turn, messages, sources)

    async def stream(self, question: Question, emit: Emit) -> None:
        """Emits the answer: ``session``, then ``token`` for each piece, then ``done`` or ``error``.

        With documents, their pieces come first as ``sources``.
        """
        await emit(Event("session", {"session": str(question.session)}))
        if question.sources is not None:
            await emit(Event("sources", {"sources": [source.as_json() for source in question.sources]}))
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
                    **({} if question.sources is None else {"citations": answer.citations}),
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
        if question.sources is not None and not question.sources:
            # Nothing passed the threshold: a model that was asked all the same would make something up.
            await self._conversations.finish(question.turn, "", "complete", sources=[])
            return Answer("", NO_SOURCES, {}, 0.0)
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
            sources = None if question.sources is None else [each.as_json() for each in question.sources]
            await self._conversations.finish(question.turn, "".join(pieces), status, sources=sources, **usage)
            _log.info(
                "answered",
                session=str(question.session),
                outcome=status,
                seconds=round(seconds, 3),
                **usage,
            )
        text = "".join(pieces)
        return Answer(text, end.reason, usage, round(seconds, 3), cited(text, question.sources or ()))

    async def _collect(self, messages: list[Message], pieces: list[str], emit: Emit | None) -> Finished:
        began = time.monotonic()
        masking = OutputFilter()
        first = True
        try:
            async with aclosing(self._engine.answer(messages)) as parts:
                async for part in parts:
                    if isinstance(part, Finished):
                        return part
                    if first:
                        metrics.FIRST_TOKEN_SECONDS.observe(time.monotonic() - began)
                        first = False
                    await self._pass_on(masking.feed(part.text), pieces, emit)
            raise EngineError("broken", "the answer ended without its end")
        finally:
            # Also what had been held back when it was interrupted.
            rest = masking.end()
            if masking.masked:
                metrics.MASKED_ANSWERS.inc()
            await self._pass_on(rest, pieces, emit)

    async def _pass_on(self, text: str, pieces: list[str], emit: Emit | None) -> None:
        if not text:
            return
        pieces.append(text)
        if emit is not None:
            await emit(Event("token", {"text": text}))


def _usage(end: Finished | None) -> dict[str, int]:
    if end is None or end.prompt_tokens is None or end.completion_tokens is None:
        return {}
    return {"prompt_tokens": end.prompt_tokens, "completion_tokens": end.completion_tokens}
