"""Structured logs: one JSON object a line on standard output, uvicorn's own lines included."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

import structlog

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]


def json_formatter() -> logging.Formatter:
    """Returns the formatter that turns every log record, whoever wrote it, into one line of JSON."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Without the frames' variables: they hold messages and passwords.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def log_config(level: str) -> dict[str, Any]:
    """Returns the configuration of the standard library's logging, as uvicorn takes it to its workers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "rackwright_app.logs.json_formatter"}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
        },
        "root": {"handlers": ["stdout"], "level": level.upper()},
        # httpx tells every request to an engine, Alembic every step of its own: ours say each once.
        "loggers": {
            "httpx": {"level": "WARNING"},
            "alembic": {"level": "WARNING"},
            "uvicorn": {"level": level.upper()},
        },
    }


def configure_structlog() -> None:
    """Sends structlog's lines through the standard library, where the formatter waits."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
