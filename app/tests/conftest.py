"""What the tests run against: real PostgreSQL and Redis, the app behind a socket, a double of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
from app_server import RunningApp
from at_provider import browser, make_site, provider, site
from engine_double import EngineDouble
from hypothesis import settings as drawing
from store_doubles import StoreDouble
from stores import ChromaServer, Postgres, RedisServer

from rackwright_app.database.migrate import migrate
from rackwright_app.settings import Settings
from rackwright_app.tokens import Role, issue

# Nothing that is tested depends on time: on a busy machine an example takes as long as it takes.
drawing.register_profile("default", drawing.get_profile("default"), deadline=None)
KEY = "k" * 32
__all__ = ["browser", "make_site", "provider", "site"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of the test run's own, with the app's tables."""
    with Postgres.started() as server:
        migrate(server.settings())
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis of the test run's own."""
    with RedisServer.started() as server:
        yield server


@pytest.fixture(scope="session")
def chroma() -> Iterator[ChromaServer]:
    """A Chroma of the test run's own."""
    with ChromaServer.started() as server:
        yield server


@pytest.fixture(scope="session")
def qdrant() -> Iterator[StoreDouble]:
    """A double of Qdrant."""
    with StoreDouble.started("qdrant") as server:
        yield server


@pytest.fixture(scope="session")
def weaviate() -> Iterator[StoreDouble]:
    """A double of Weaviate."""
    with StoreDouble.started("weaviate") as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection to the database."""
    with postgres.connect() as connection:
        yield connection


@pytest.fixture
def limits_store(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A connection to Redis."""
    with redis_server.connect() as connection:
        yield connection


@pytest.fixture
def engine() -> Iterator[EngineDouble]:
    """A double of the model server."""
    with EngineDouble.started() as double:
        yield double


@pytest.fixture
def settings(
    postgres: Postgres,
    redis_server: RedisServer,
    engine: EngineDouble,
    tmp_path: Path,
) -> Settings:
    """Settings of an app on emptied stores; a test changes what it is about by ``model_copy``."""
    with postgres.connect() as connection:
        connection.execute("TRUNCATE sessions, documents CASCADE")
    with redis_server.connect() as store:
        store.flushdb()
    return Settings.model_validate(
        {
            "database": postgres.settings(),
            "redis": redis_server.settings(),
            "engine": {
                "urls": [engine.url],
                "model": "double",
                "api_key": "engine-key",
                "cooldown_seconds": 0.2,
            },
            "tokens": {"keys": [{"id": "first", "secret": KEY}]},
            "audit": {"path": tmp_path / "audit.log"},
            "keepalive_seconds": 0.2,
            "rag": {"embedding": {"model": "embedding-double"}},
        }
    )


@pytest.fixture
def start_app() -> Iterator[Callable[[Settings], RunningApp]]:
    """Starts apps that stop when the test ends."""
    running: list[RunningApp] = []

    def start(settings: Settings) -> RunningApp:
        app = RunningApp(settings)
        running.append(app)
        return app

    yield start
    for app in running:
        app.stop()


@pytest.fixture
def app(settings: Settings, start_app: Callable[[Settings], RunningApp]) -> RunningApp:
    """The app with the usual settings."""
    return start_app(settings)


@pytest.fixture
def token(settings: Settings) -> Callable[..., str]:
    """Makes access tokens."""

    def make(user: str = "alice", role: Role = Role.USER, seconds: int = 60) -> str:
        return issue(settings.tokens, user, role, seconds)

    return make


@pytest.fixture
def client(app: RunningApp, token: Callable[..., str]) -> Iterator[httpx.Client]:
    """A client of the usual app, signed in as alice."""
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}, timeout=20) as client:
        yield client
