"""Runs a workflow, step by step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog

from rackwright_app import metrics
from rackwright_app.bounded import BoundedError, run_bounded
from rackwright_app.chat import AnswerError
from rackwright_app.engine import EngineClient, EngineError, Finished, Message
from rackwright_app.errors import ApiError
from rackwright_app.output_filter import OutputFilter
from rackwright_app.rag.retrieval import Retrieval
from rackwright_app.settings import Workflows
from rackwright_app.streaming import Emit, Event
from rackwright_app.workflow.model import BranchStep, LlmStep, RetrieveStep, Step, TransformStep, Workflow

_TRUE = "True"
_log = structlog.get_logger(__name__)


@dataclass
class Outcome:
    """What came of a workflow.

    Attributes:
        outputs: Of every step that ran, by its id.
        last: The id of the last one.
    """

    outputs: dict[str, Any] = field(default_factory=dict)
    last: str = ""

    @property
    def output(self) -> Any:  # noqa: ANN401 - a text, a list of sources, or a truth value
        """The last step's output."""
        return self.outputs.get(self.last)


async def _silent(_event: Event) -> None:
    """Tells nobody."""


class WorkflowRunner:
    """Runs workflows that have been checked."""

    def __init__(
        self,
        settings: Workflows,
        engine: EngineClient,
        retrieval: Retrieval,
        check: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._retrieval = retrieval
        self._check = check
        # A process each: a few at a time in a worker, the others wait.
        self._rendering = asyncio.Semaphore(2)

    async def run(
        self, subject: str, workflow: Workflow, inputs: dict[str, Any], emit: Emit = _silent
    ) -> Outcome:
        """Runs a workflow.

        Args:
            subject: Whose documents it may search.
            workflow: One in which ``check.problems`` has found none.
            inputs: What templates know as ``inputs``.
            emit: Gets ``step`` when a step begins and ends, and ``token`` for each piece of an answer.

        Raises:
            ApiError: A step failed; the message says which.
        """
        outcome = Outcome()
        places = {step.id: place for place, step in enumerate(workflow.steps)}
        place = 0
        result = "failed"
        try:
            async with asyncio.timeout(self._settings.seconds):
                while place < len(workflow.steps):
                    step = workflow.steps[place]
                    target = await self._step(subject, step, inputs, outcome, emit)
                    place = place + 1 if target is None else places[target]
            result = "complete"
        except TimeoutError as error:
            raise ApiError(
                HTTPStatus.GATEWAY_TIMEOUT, "workflow_timeout", "The workflow took too long."
            ) from error
        finally:
            metrics.WORKFLOWS.labels(result).inc()
        return outcome

    async def _step(
        self, subject: str, step: Step, inputs: dict[str, Any], outcome: Outcome, emit: Emit
    ) -> str | None:
        began = time.monotonic()
        about = {"id": step.id, "type": step.type}
        await emit(Event("step", {**about, "status": "started"}))
        texts = await self._render(step, {"inputs": inputs, "steps": outcome.outputs})
        target = step.next
        if isinstance(step, TransformStep):
            output: Any = texts[0]
        elif isinstance(step, RetrieveStep):
            output = await self._retrieve(subject, step, texts[0])
        elif isinstance(step, LlmStep):
            output = await self._ask(step, texts, emit)
        else:
            output = texts[0] == _TRUE
            target = step.then if output else step.otherwise or step.next
        outcome.outputs[step.id], outcome.last = output, step.id
        seconds = round(time.monotonic() - began, 3)
        metrics.WORKFLOW_STEP_SECONDS.labels(step.type).observe(seconds)
        shown = {} if isinstance(step, LlmStep) else {"output": output}
        await emit(Event("step", {**about, "status": "done", "seconds": seconds, **shown}))
        return target

    async def _render(self, step: Step, values: dict[str, Any]) -> list[str]:
        templates = list(step.templates())
        if isinstance(step, BranchStep):
            templates = ["{{ true if (" + step.condition + ") else false }}"]
        try:
            async with self._rendering:
                told = await run_bounded(
                    "rackwright_app.workflow.sandbox",
                    {"templates": templates, "values": values},
                    seconds=self._settings.render_seconds,
                    memory_mb=self._settings.render_memory_mb,
                )
        except BoundedError as error:
            raise _failed(step, f"its template was ended ({error.reason})") from error
        if "problem" in told:
            raise _failed(step, told["problem"])
        texts: list[str] = told["texts"]
        return texts

    async def _retrieve(self, subject: str, step: RetrieveStep, query: str) -> list[dict[str, object]]:
        if not query.strip():
            return []
        found = await self._retrieval.find(
            subject, query, top=step.top, threshold=step.threshold, documents=step.documents
        )
        return [source.as_json() for source in found]

    async def _ask(self, step: LlmStep, texts: list[str], emit: Emit) -> str:
        prompt, *system = texts
        self._check(prompt)
        messages: list[Message] = [{"role": "system", "content": text} for text in system]
        messages.append({"role": "user", "content": prompt})
        pieces: list[str] = []
        masking = OutputFilter()

        async def show(text: str) -> None:
            if text:
                pieces.append(text)
                await emit(Event("token", {"step": step.id, "text": text}))

        began = time.monotonic()
        try:
            async with aclosing(self._engine.answer(messages)) as parts:
                async for part in parts:
                    if isinstance(part, Finished):
                        break
                    await show(masking.feed(part.text))
        except EngineError as error:
            metrics.INFERENCE_SECONDS.labels("failed").observe(time.monotonic() - began)
            raise AnswerError(error.kind) from error
        metrics.INFERENCE_SECONDS.labels("complete").observe(time.monotonic() - began)
        await show(masking.end())
        return "".join(pieces)


def _failed(step: Step, reason: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "step_failed", f"{step.id}: {reason}")


def streamed(
    runner: WorkflowRunner, subject: str, workflow: Workflow, inputs: dict[str, Any]
) -> Callable[[Emit], Coroutine[Any, Any, None]]:
    """Returns the work of an event stream: the steps' events, then ``done`` or ``error``."""

    async def work(emit: Emit) -> None:
        try:
            outcome = await runner.run(subject, workflow, inputs, emit)
        except ApiError as error:
            await emit(Event("error", {"code": error.code, "message": error.message}))
            return
        await emit(Event("done", {"output": outcome.output, "outputs": outcome.outputs}))

    return work
