"""``POST /api/workflow``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from rackwright_app.api.access import Caller, Held, documented_bearer
from rackwright_app.api.answering import CLIENT_CLOSED, STREAMED
from rackwright_app.errors import ApiError
from rackwright_app.streaming import ClientGoneError, EventStream, while_connected
from rackwright_app.workflow.check import problems
from rackwright_app.workflow.model import WorkflowRequest
from rackwright_app.workflow.reading import ReadError, read_request
from rackwright_app.workflow.run import streamed

router = APIRouter(prefix="/api", tags=["workflow"], dependencies=[documented_bearer])
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")


class WorkflowAnswer(BaseModel):
    """What came of a workflow (``stream: false``)."""

    output: JsonValue
    outputs: dict[str, JsonValue]


class WorkflowCheck(BaseModel):
    """What is wrong with a workflow; empty when it can run."""

    problems: list[str]


# Read by hand, because a body of YAML is none that the framework knows; nor does it find the schema.
_REFERENCE = "#/components/schemas/{model}"
SCHEMAS: dict[str, Any] = models_json_schema([(WorkflowRequest, "validation")], ref_template=_REFERENCE)[1][
    "$defs"
]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"$ref": _REFERENCE.format(model="WorkflowRequest")}}
            for kind in ("application/json", "application/yaml")
        },
    }
}


@router.post(
    "/workflow",
    response_model=WorkflowAnswer,
    responses=STREAMED,
    openapi_extra=_BODY,
    summary="Run a workflow",
)
async def workflow(request: Request, caller: Caller, held: Held) -> Response:
    """Runs a workflow of typed steps (llm, retrieve, transform, branch), from JSON or YAML.

    Events: ``step`` when one begins and ends, ``token`` with step and ``text``, then ``done`` with
    ``output`` and all ``outputs``; or ``error``.
    """
    asked = await _read(request)
    if found := problems(asked.workflow):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "workflow_refused", "; ".join(found[:20]))
    if asked.stream:
        work = streamed(held.workflows, caller.subject, asked.workflow, asked.inputs)
        return EventStream(work, keepalive_seconds=held.settings.keepalive_seconds)
    running = held.workflows.run(caller.subject, asked.workflow, asked.inputs)
    try:
        outcome = await while_connected(request.receive, running)
    except ClientGoneError:
        request.state.aborted = True
        return Response(status_code=CLIENT_CLOSED)
    return JSONResponse({"output": outcome.output, "outputs": outcome.outputs})


@router.post("/workflow/check", openapi_extra=_BODY, summary="Check a workflow without running it")
async def check(request: Request, _caller: Caller) -> WorkflowCheck:
    """Says what is wrong with a workflow."""
    return WorkflowCheck(problems=problems((await _read(request)).workflow))


async def _read(request: Request) -> WorkflowRequest:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        return read_request(await request.body(), is_yaml=kind in _YAML)
    except ReadError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "malformed_request", str(error)) from error
