"""What every request passes through, from the outside in: context, audit, size, gate."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rackwright_app import metrics
from rackwright_app.audit import AuditLog
from rackwright_app.clients import Network, client_address
from rackwright_app.draining import Draining
from rackwright_app.errors import ApiError, TooManyError, UnauthorizedError
from rackwright_app.limits import RequestLimit
from rackwright_app.masking import HIDDEN, mask_text, mask_value
from rackwright_app.settings import Audit, Limits
from rackwright_app.tokens import Principal, TokenVerifier
from rackwright_app.users.oidc import OidcVerifier

_HEALTH = "/health"
_UPLOAD = "/api/rag/upload"
_FROM_PROVIDER = "/api/auth/oidc/callback"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HEADER_CHARACTERS = 512
_log = structlog.get_logger("rackwright_app.requests")


class Context:
    """Gives a request its id and its caller's address, counts and logs it."""

    def __init__(self, app: ASGIApp, *, trusted: Sequence[Network], draining: Draining) -> None:
        self._app = app
        self._trusted = trusted
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        peer = scope["client"][0] if scope.get("client") else "unknown"
        state["address"] = client_address(
            peer, headers.getlist("x-forwarded-for"), headers.get("x-real-ip"), self._trusted
        )
        given = headers.get("x-request-id", "")
        state["request_id"] = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        state["began"] = time.monotonic()
        state["status"] = None
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=state["request_id"])

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                state["status"] = message["status"]
                answered = MutableHeaders(scope=message)
                answered["X-Request-ID"] = state["request_id"]
                if self._draining.begun:
                    answered["Connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            _count(scope)


class AuditTrail:
    """Writes a line to the audit file for every request, once it is answered."""

    def __init__(self, app: ASGIApp, *, log: AuditLog, settings: Audit) -> None:
        self._app = app
        self._audit = log
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        # Health is asked every few seconds, by machines and without a user: it would bury what matters.
        if scope["type"] != "http" or scope["path"] == _HEALTH:
            await self._app(scope, receive, send)
            return
        body = bytearray()

        async def read() -> Message:
            message = await receive()
            # An upload is not kept here: it may be large, and its route says what belongs in the line.
            if message["type"] == "http.request" and len(body) <= self._settings.body_bytes:
                body.extend(message.get("body", b""))
            return message

        try:
            await self._app(scope, read, send)
        finally:
            self._audit.write(self._record(scope, bytes(body)))

    def _record(self, scope: Scope, body: bytes) -> dict[str, object]:
        state = scope["state"]
        principal = state.get("principal")
        headers = Headers(scope=scope)
        record: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": state["request_id"],
            "user": principal.subject if principal else None,
            "role": principal.role.value if principal else None,
            "token": principal.token_id if principal else None,
            "address": state["address"],
            "method": scope["method"],
            "path": mask_text(scope["path"])[:_HEADER_CHARACTERS],
            "agent": mask_text(headers.get("user-agent", ""))[:_HEADER_CHARACTERS],
            "status": state["status"],
            "latency_ms": round((time.monotonic() - state["began"]) * 1000, 1),
        }
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if query and scope["path"] == _FROM_PROVIDER:
            # A code and what it belongs to: each is worth a sign-in for some seconds.
            record["query"] = {name[:_HEADER_CHARACTERS]: HIDDEN for name, _ in query}
        elif query:
            record["query"] = mask_value(dict(query), longest=_HEADER_CHARACTERS)
        if "audit_body" in state:
            record["body"] = mask_value(state["audit_body"], longest=_HEADER_CHARACTERS)
        elif body:
            record["body"] = self._masked(body)
        if state.get("aborted"):
            record["aborted"] = True
        return record

    def _masked(self, body: bytes) -> object:
        try:
            return mask_value(json.loads(body), longest=self._settings.text_characters)
        except (ValueError, RecursionError):
            # What cannot be taken apart cannot be masked by its keys, so only its size is kept.
            return {"unreadable_bytes": len(body)}


class BodyLimit:
    """Refuses a body that is too large, by its announced length or as soon as it has grown so large."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int, upload_bytes: int) -> None:
        self._app = app
        self._limit = limit_bytes
        self._upload = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload if scope["path"] == _UPLOAD else self._limit
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > limit:
            await _too_large(limit).response()(scope, receive, send)
            return
        size = 0

        async def read() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, read, send)


def _too_large(limit: int) -> ApiError:
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"A body may hold {limit} bytes.")


class Gate:
    """Lets nothing beneath ``/api`` pass without a valid token and a place in the user's hour.

    A middleware, not a dependency of each route: a route that is added later is closed unless someone opens
    it, and a stranger's body is not even read.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: TokenVerifier,
        oidc: OidcVerifier | None,
        limit: RequestLimit,
        address_limit: RequestLimit,
        open_paths: frozenset[str],
        uncounted: str,
        limits: Limits,
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._oidc = oidc
        self._limit = limit
        self._address_limit = address_limit
        self._open = open_paths
        self._uncounted = uncounted
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http" or not (scope["path"] == "/api" or scope["path"].startswith("/api/")):
            await self._app(scope, receive, send)
            return
        try:
            told = await self._admit(scope)
        except ApiError as error:
            await error.response()(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        await self._app(scope, receive, answer)

    async def _admit(self, scope: Scope) -> dict[str, str]:
        per_address = await self._address_limit.take(scope["state"]["address"])
        if not per_address.allowed:
            metrics.RATE_LIMITED.inc()
            raise TooManyError("This address has used up its hour.", per_address.reset_seconds)
        if scope["path"] in self._open:
            return {}
        try:
            principal = await self._caller(Headers(scope=scope).get("authorization"))
        except UnauthorizedError as error:
            metrics.REFUSED_TOKENS.labels(error.reason).inc()
            _log.info("token refused", reason=error.reason, address=scope["state"]["address"])
            raise
        scope["state"]["principal"] = principal
        if scope["path"].startswith(self._uncounted):
            return {}
        verdict = await self._limit.take(principal.subject)
        if verdict.allowed:
            return verdict.headers()
        metrics.RATE_LIMITED.inc()
        raise TooManyError(
            f"{self._limits.requests_per_hour} requests an hour are used up.",
            verdict.reset_seconds,
            verdict.headers(),
        )

    async def _caller(self, authorization: str | None) -> Principal:
        _, _, token = (authorization or "").partition(" ")
        if self._oidc is not None and self._oidc.issued(token.strip()):
            return await self._oidc.verify(token.strip())
        return self._verifier.verify(authorization)


def _count(scope: Scope) -> None:
    state = scope["state"]
    # The template, not the path: a path may hold anything, and each new one would be a time series of its
    # own.
    route = getattr(scope.get("route"), "path", "none")
    status = str(state["status"] or HTTPStatus.INTERNAL_SERVER_ERROR.value)
    seconds = time.monotonic() - state["began"]
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.REQUESTS.labels(method, route, status).inc()
    metrics.REQUEST_SECONDS.labels(route).observe(seconds)
    if scope["path"] != _HEALTH:
        _log.info("request", method=method, route=route, status=status, seconds=round(seconds, 4))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
