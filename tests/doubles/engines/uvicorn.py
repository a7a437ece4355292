"""Stands for uvicorn in the image of FastChat's double: what the engine and our role call of it."""

from __future__ import annotations

from common import Handler, say, serve


def run(app: type[Handler], host: str = "127.0.0.1", port: int = 8000, log_level: str = "info") -> None:
    """Serve until asked to stop."""
    say(f"log level {log_level}")
    serve(app, port, host)
