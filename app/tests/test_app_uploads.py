"""Uploads that are refused, and names and documents that mean harm."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from app_server import RunningApp, figure
from asking import as_user, found, send
from document_files import bomb, entities, pdf_file, traversal

from rackwright_app.bounded import BoundedError, run_bounded
from rackwright_app.settings import Settings

REFUSED: dict[str, tuple[str, Callable[[], bytes], int, str]] = {
    "no kind we take": ("run.exe", lambda: b"MZ", 415, "document_kind"),
    "a picture called a PDF": ("photo.pdf", lambda: b"\x89PNG\r\n", 415, "document_kind"),
    "a program called a text": ("run.txt", lambda: b"\x7fELF\0\0", 415, "document_kind"),
    "nothing in it": ("empty.txt", lambda: b"", 422, "document_empty"),
    "signs alone": ("dashes.md", lambda: b"--- *** ---", 422, "document_empty"),
    "a zip bomb": ("bomb.docx", bomb, 422, "document_bomb"),
    "a way out of the archive": ("path.docx", traversal, 422, "document_broken"),
    "an archive of something else": ("other.docx", lambda: b"PK\x03\x04 and more", 422, "document_broken"),
    "a broken PDF": ("broken.pdf", lambda: b"%PDF-1.7 and nothing more", 422, "document_broken"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_uploads(client: httpx.Client, case: str) -> None:
    name, make, status, code = REFUSED[case]
    before = figure("uploads_total", outcome="refused")
    began = time.monotonic()
    answer = send(client, name, make())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert time.monotonic() - began < 10
    assert figure("uploads_total", outcome="refused") == before + 1
    assert client.get("/api/rag/documents").json() == {"documents": []}


def test_an_entity_of_a_document_reads_no_file(client: httpx.Client) -> None:
    answer = send(client, "leak.docx", entities())
    assert answer.status_code in {201, 422}
    if answer.status_code == 201:
        assert "root:" not in str(found(client, "Head root bin daemon", threshold=0))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\li\\plan.md", "plan.md"),
        ("a\r\nSet-Cookie: x.txt", "a Set-Cookie: x.txt"),
        ("\u202egpj.txt", "gpj.txt"),
    ],
)
def test_a_name_is_only_shown(client: httpx.Client, given: str, shown: str) -> None:
    boundary = "rw"
    name = given.replace("\\", "\\\\").replace("\r\n", "%0D%0A")
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = f"{head}Some words.\r\n--{boundary}--\r\n".encode()
    answer = client.post(
        "/api/rag/upload",
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] in {shown, shown.replace(" Set", "%0D%0ASet")}


def test_limits_of_size_pages_characters_and_number(
    settings: Settings, start_app: Callable[[Settings], RunningApp], token: Callable[..., str]
) -> None:
    changed = settings.model_dump()
    changed["rag"] |= {"upload_bytes": 20_000, "pages": 2, "characters": 8_000, "documents_per_user": 1}
    with as_user(start_app(Settings.model_validate(changed)), token()) as client:
        assert send(client, "large.txt", "a" * 40_000).status_code == 413
        assert (
            send(client, "many.pdf", pdf_file("1", "2", "3")).json()["error"]["code"] == "document_too_long"
        )
        assert send(client, "long.txt", "word " * 2_000).json()["error"]["code"] == "document_too_long"
        assert send(client, "one.txt", "One document.").status_code == 201
        assert send(client, "two.txt", "Another.").json()["error"]["code"] == "too_many_documents"


@pytest.mark.asyncio
async def test_a_parser_that_waits_or_swells_is_ended(tmp_path: Path) -> None:
    task = {"kind": "text", "pages": 1, "characters": 100}
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as never_ends, pytest.raises(BoundedError, match="timeout"):
        await run_bounded("rackwright_app.rag.parse", task, seconds=0.5, memory_mb=200, source=never_ends)
    os.close(writing)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(400_000_000)
    with large.open("rb") as source, pytest.raises(BoundedError, match="memory"):
        await run_bounded("rackwright_app.rag.parse", task, seconds=20, memory_mb=200, source=source)
