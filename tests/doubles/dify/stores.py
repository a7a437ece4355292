"""The stores behind the doubles: real PostgreSQL and Redis, by TLS, as the release opens them."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

import psycopg2
import redis
from common import fail, say


def database() -> psycopg2.extensions.connection:
    """Connect as the variables say; end when the connection is not encrypted."""
    # PGSSLMODE and PGSSLROOTCERT are libpq's own, as in the release's images.
    found = psycopg2.connect(
        host=os.environ["DB_HOST"],
        port=os.environ["DB_PORT"],
        user=os.environ["DB_USERNAME"],
        password=os.environ["DB_PASSWORD"],
        dbname=os.environ["DB_DATABASE"],
        connect_timeout=10,
    )
    found.autocommit = True
    with found.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        if not cursor.fetchone()[0]:
            fail("the connection to PostgreSQL is not encrypted")
    return found


def cache() -> redis.Redis:
    """Connect to Redis as REDIS_* say."""
    if os.environ["REDIS_USE_SSL"] != "true" or os.environ["REDIS_SSL_CERT_REQS"] != "CERT_REQUIRED":
        fail("Redis would be asked without TLS, or whoever answers")
    found = redis.Redis(
        host=os.environ["REDIS_HOST"],
        port=int(os.environ["REDIS_PORT"]),
        username=os.environ["REDIS_USERNAME"],
        password=os.environ["REDIS_PASSWORD"],
        db=int(os.environ["REDIS_DB"]),
        ssl=True,
        ssl_cert_reqs="required",
        ssl_ca_certs=os.environ["REDIS_SSL_CA_CERTS"],
        socket_timeout=10,
    )
    found.ping()
    return found


def broker() -> redis.Redis:
    """Connect to the queue as CELERY_BROKER_URL says."""
    parts = urlsplit(os.environ["CELERY_BROKER_URL"])
    if parts.scheme != "rediss" or os.environ["BROKER_USE_SSL"] != "true":
        fail("the queue would be asked without TLS")
    found = redis.Redis(
        host=parts.hostname or "",
        port=parts.port or 6379,
        username=parts.username,
        password=unquote(parts.password or ""),
        db=int(parts.path.strip("/")),
        ssl=True,
        ssl_cert_reqs="required",
        ssl_ca_certs=os.environ["REDIS_SSL_CA_CERTS"],
        socket_timeout=10,
    )
    found.ping()
    return found


def key(name: str) -> str:
    """Return a key's name with the prefix that the release puts before all of them."""
    return f"{os.environ['REDIS_KEY_PREFIX']}:{name}"


def vectors() -> None:
    """Try the vector store as far as it is in the database."""
    if os.environ["VECTOR_STORE"] == "pgvector":
        with database() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT '[1,2,3]'::vector <-> '[1,2,4]'::vector")
            say(f"pgvector answers {cursor.fetchone()[0]}")
