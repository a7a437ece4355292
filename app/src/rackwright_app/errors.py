"""What the service answers when it cannot do what was asked.

Every error has the same form, ``{"error": {"code": …, "message": …}}``; the code is for programs and stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse


class ErrorTold(BaseModel):
    """What went wrong."""

    code: Annotated[str, Field(description="Short name for programs; it stays.")]
    message: Annotated[str, Field(description="One sentence for people.")]


class ErrorAnswer(BaseModel):
    """Every error that is answered."""

    error: ErrorTold


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request is refused; `code` says why."},
    "5XX": {"model": ErrorAnswer, "description": "A service that the answer needs is away or failed."},
}
"""For the OpenAPI document: each route may answer so, since gate and limits stand before all of them."""


class ApiError(HTTPException):
    """An error that the caller is told.

    It is one of Starlette's because FastAPI turns any other, raised while a body is read, into a plain 400.

    Attributes:
        code: Short name for programs.
        message: One sentence for people; never holds a secret or what an inner service said.
    """

    def __init__(
        self, status: HTTPStatus, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message, headers)
        self.code = code
        self.message = message

    def response(self) -> JSONResponse:
        """Returns the error as an HTTP answer."""
        return JSONResponse(error_body(self.code, self.message), self.status_code, self.headers)


def error_body(code: str, message: str) -> dict[str, dict[str, str]]:
    """Returns the body of an error answer, also used for the ``error`` event of a stream."""
    return {"error": {"code": code, "message": message}}


class UnauthorizedError(ApiError):
    """No token, or one that does not hold.

    The reason is counted and logged, the caller hears only the class of it.
    """

    def __init__(self, reason: str, message: str) -> None:
        challenge = 'Bearer realm="rackwright"'
        if reason != "missing":
            challenge += f', error="invalid_token", error_description="{message}"'
        super().__init__(
            HTTPStatus.UNAUTHORIZED, "unauthorized", message, headers={"WWW-Authenticate": challenge}
        )
        self.reason = reason


class TooManyError(ApiError):
    """Too many requests."""

    def __init__(self, message: str, wait_seconds: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate_limited",
            message,
            headers={**(headers or {}), "Retry-After": str(wait_seconds)},
        )


class UnavailableError(ApiError):
    """A service that the answer needs is away for the moment."""

    def __init__(self, what: str) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"{what}_unavailable",
            f"The {what} is away for the moment, please try again.",
            headers={"Retry-After": "5"},
        )
