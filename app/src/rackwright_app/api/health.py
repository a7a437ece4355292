"""``GET /health``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from rackwright_app import __version__
from rackwright_app.api.access import Held

router = APIRouter(tags=["operation"])


class HealthAnswer(BaseModel):
    """Whether the service can serve, and what it stands on."""

    status: Literal["ok", "degraded", "unavailable"]
    version: str
    checks: dict[str, Literal["ok", "failed"]]


@router.get("/health", responses={503: {"model": HealthAnswer}}, summary="Whether the service can serve")
async def health(response: Response, held: Held) -> HealthAnswer:
    """Answers 200 when the service can serve, 503 when database or Redis is away."""
    found = await held.health.run()
    if found.status == "unavailable":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return HealthAnswer(status=found.status, version=__version__, checks=found.checks)
