"""Puts one worker together."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.asyncio import Redis
from starlette.exceptions import HTTPException

from rackwright_app import __version__, metrics
from rackwright_app.api import auth, chat, health, oidc, rag, sessions, workflow
from rackwright_app.api.access import Services
from rackwright_app.audit import AuditLog
from rackwright_app.audit_table import AuditTable
from rackwright_app.chat import Chat
from rackwright_app.database.conversations import Conversations
from rackwright_app.database.documents import Documents
from rackwright_app.database.pool import Pool, make_pool
from rackwright_app.database.users import Users
from rackwright_app.draining import Draining
from rackwright_app.engine import EngineClient
from rackwright_app.errors import DOCUMENTED, ApiError, UnavailableError
from rackwright_app.health import HealthChecks
from rackwright_app.input_rules import InputCheck
from rackwright_app.limits import HOUR_SECONDS, RequestLimit
from rackwright_app.logs import configure_structlog
from rackwright_app.middleware import AuditTrail, BodyLimit, Context, Gate
from rackwright_app.rag.library import Library
from rackwright_app.rag.models import Models
from rackwright_app.rag.retrieval import Retrieval
from rackwright_app.rag.vectors import Vectors
from rackwright_app.settings import Redis as RedisSettings
from rackwright_app.settings import Settings, load_settings
from rackwright_app.tokens import TokenVerifier
from rackwright_app.users.oidc import OidcVerifier
from rackwright_app.users.provider import Provider
from rackwright_app.users.provider_sign_in import ProviderSignIn
from rackwright_app.users.sign_in import SignInService
from rackwright_app.workflow.run import WorkflowRunner

_COUNT_EVERY_SECONDS = 30
_TRIES_SECONDS = 900
_log = structlog.get_logger(__name__)


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document["components"]["schemas"].update(workflow.SCHEMAS)
        return document


def create_app(settings: Settings | None = None) -> FastAPI:
    """Makes the application of one worker; connections open when it starts up.

    Args:
        settings: Taken from environment and files when not given.
    """
    configure_structlog()
    settings = settings or load_settings()
    redis = _redis(settings.redis)
    table, draining = AuditTable(), Draining(settings.drain_seconds)
    audit = AuditLog(settings.audit.path, settings.audit.key.get_secret_value().encode(), table.add)
    oidc_client = _client(settings.oidc.ca if settings.oidc else None)
    oidc_verifier = None
    if settings.oidc is not None:
        provider = Provider(settings.oidc, oidc_client)
        oidc_verifier = OidcVerifier(settings.oidc, provider, leeway_seconds=settings.tokens.leeway_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = make_pool(settings.database)
        # Not waited for: without its database the service starts all the same, says so, and finds it when it
        # comes.
        await pool.open(wait=False)
        async with _client(settings.engine.ca) as client, _client(settings.rag.store.ca) as store_client:
            engine = EngineClient(settings.engine, client)
            conversations, documents = Conversations(pool), Documents(pool)
            models = Models(settings.engine, settings.rag.embedding, settings.rag.rerank, client)
            input_check = InputCheck(settings.input)
            vectors = Vectors(settings.rag, models, pool, store_client)
            retrieval = Retrieval(settings.rag, documents, models, vectors)
            app.state.services = Services(
                settings=settings,
                conversations=conversations,
                chat=Chat(settings, conversations, engine),
                health=HealthChecks(pool, redis, engine, audit),
                input_check=input_check,
                documents=documents,
                library=Library(settings.rag, documents, models, vectors),
                retrieval=retrieval,
                sign_in=_sign_in(settings, redis, pool),
                provider_sign_in=_provider_sign_in(settings, redis, pool, oidc_verifier),
                workflows=WorkflowRunner(settings.workflows, engine, retrieval, input_check.check),
            )
            running = [
                asyncio.create_task(_count_sessions(conversations)),
                asyncio.create_task(table.run(pool)),
            ]
            with draining.before_the_end():
                yield
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await table.flush(pool)
        await oidc_client.aclose()
        await pool.close()
        await redis.aclose()
        audit.close()

    app = _Application(
        title="Rackwright",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        # Their pages load scripts from the internet.
        docs_url=None,
        redoc_url=None,
    )
    for router in (auth.router, oidc.router, chat.router, sessions.router, rag.router, workflow.router):
        app.include_router(router, responses=DOCUMENTED)
    app.include_router(health.router)
    # The last one added is the outermost.
    app.add_middleware(
        Gate,
        verifier=TokenVerifier(settings.tokens),
        oidc=oidc_verifier,
        limit=_limit(settings, redis, "requests", settings.limits.requests_per_hour),
        address_limit=_limit(settings, redis, "addresses", settings.limits.address_requests_per_hour),
        open_paths=auth.OPEN | oidc.OPEN,
        uncounted=f"{auth.PREFIX}/",
        limits=settings.limits,
    )
    app.add_middleware(
        BodyLimit,
        limit_bytes=settings.limits.body_bytes,
        # Around the file stand the lines of its form.
        upload_bytes=settings.rag.upload_bytes + 4096,
    )
    app.add_middleware(AuditTrail, log=audit, settings=settings.audit)
    app.add_middleware(Context, trusted=settings.trusted_proxies, draining=draining)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(psycopg.OperationalError, _database_away)
    app.add_exception_handler(Exception, _broken)
    return app


def _limit(
    settings: Settings, redis: Redis, name: str, limit: int, window_seconds: int = HOUR_SECONDS
) -> RequestLimit:
    return RequestLimit(
        redis, prefix=settings.redis.prefix, limit=limit, window_seconds=window_seconds, name=name
    )


def _sign_in(settings: Settings, redis: Redis, pool: Pool) -> SignInService:
    tries = settings.sign_in.tries
    return SignInService(
        settings.sign_in,
        settings.tokens,
        Users(pool),
        user_tries=_limit(settings, redis, "tries-user", tries, _TRIES_SECONDS),
        address_tries=_limit(settings, redis, "tries-address", 2 * tries, _TRIES_SECONDS),
    )


def _provider_sign_in(
    settings: Settings, redis: Redis, pool: Pool, verifier: OidcVerifier | None
) -> ProviderSignIn | None:
    oidc = settings.oidc
    if oidc is None or oidc.client is None or verifier is None:
        return None
    return ProviderSignIn(oidc, oidc.client, verifier, Users(pool), redis, settings.redis.prefix)


def _redis(settings: RedisSettings) -> Redis:
    return Redis(
        host=settings.host,
        port=settings.port,
        db=settings.number,
        username=settings.user,
        password=settings.password.get_secret_value() or None,
        ssl=settings.tls,
        ssl_ca_certs=str(settings.ca) if settings.ca else None,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        health_check_interval=30,
        client_name="rackwright-app",
    )


def _client(ca: Path | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=ca),
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )


async def _count_sessions(conversations: Conversations) -> None:
    while True:
        try:
            metrics.ACTIVE_SESSIONS.set(await conversations.active_sessions())
        except psycopg.Error as error:
            # Health says it too; the count goes on when the database is back.
            _log.warning("active sessions not counted", reason=type(error).__name__)
        await asyncio.sleep(_COUNT_EVERY_SECONDS)


async def _told(_request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return error.response()
    status = (
        HTTPStatus(error.status_code)
        if isinstance(error, HTTPException)
        else HTTPStatus.INTERNAL_SERVER_ERROR
    )
    headers = error.headers if isinstance(error, HTTPException) else None
    # FastAPI's own 400 is for a body that its parser gives up on.
    malformed = status is HTTPStatus.BAD_REQUEST
    code = "malformed_request" if malformed else status.phrase.lower().replace(" ", "_")
    return ApiError(status, code, f"{status.phrase}.", headers=headers).response()


async def _malformed(_request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    # Where and why, never what: the value may be a secret that stands in the wrong field.
    reasons = [f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in problems]
    return ApiError(HTTPStatus.BAD_REQUEST, "malformed_request", "; ".join(reasons)).response()


async def _database_away(_request: Request, error: Exception) -> Response:
    _log.warning("database away", reason=type(error).__name__)
    return UnavailableError("database").response()


async def _broken(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and uvicorn logs it.
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong.").response()
