"""How tests send documents in and look for them."""

from __future__ import annotations

from typing import Any

import httpx
from app_server import RunningApp

from rackwright_app.settings import Settings


def with_store(settings: Settings, kind: str, url: str) -> Settings:
    changed = settings.model_dump()
    changed["rag"]["store"] |= {"kind": kind, "url": None if kind == "pgvector" else url}
    return Settings.model_validate(changed)


def as_user(app: RunningApp, token: str) -> httpx.Client:
    return httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def send(client: httpx.Client, name: str, content: bytes | str) -> httpx.Response:
    data = content.encode() if isinstance(content, str) else content
    return client.post("/api/rag/upload", files={"file": (name, data)})


def found(client: httpx.Client, question: str, **more: object) -> list[dict[str, Any]]:
    answer = client.post("/api/rag/search", json={"question": question, **more})
    assert answer.status_code == 200, answer.text
    sources: list[dict[str, Any]] = answer.json()["sources"]
    return sources
