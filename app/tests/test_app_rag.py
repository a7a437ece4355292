"""Documents: sent in, found, cited, and never another user's."""

from __future__ import annotations

import io
import os
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docx
import httpx
import psycopg
import pytest
from app_server import RunningApp, eventually, figure
from engine_double import EngineDouble, Script
from httpx_sse import connect_sse
from stores import ChromaServer, free_port

from rackwright_app.bounded import BoundedError, run_bounded
from rackwright_app.settings import Settings

RACKS = (
    "# Racks\n\nA rack holds servers and switches in nineteen inch units.\n\n"
    "# Cooling\n\nThe chillers hold the cold aisle at eighteen degrees."
)


@pytest.fixture(params=["pgvector", "chroma"])
def library(
    request: pytest.FixtureRequest,
    settings: Settings,
    chroma: ChromaServer,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
) -> Iterator[httpx.Client]:
    """A client of an app on each of the real stores."""
    with as_user(start_app(with_store(settings, request.param, chroma.url)), token()) as client:
        yield client


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


def docx_file(*paragraphs: str) -> bytes:
    document = docx.Document()
    document.add_heading(paragraphs[0], 1)
    for paragraph in paragraphs[1:]:
        document.add_paragraph(paragraph)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "serial", "SN-4711"
    packed = io.BytesIO()
    document.save(packed)
    return packed.getvalue()


def pdf_file(*pages: str) -> bytes:
    """The smallest PDF that says something on each page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects) + 2} 0 R"
            "/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>".encode()
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>".encode()
    body, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        body
        + head
        + table
        + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (
            len(objects) + 1,
            len(body),
        )
    )


def test_a_document_is_taken_in_found_cited_and_removed(library: httpx.Client, engine: EngineDouble) -> None:
    sent = send(library, "racks.md", RACKS)
    assert sent.status_code == 201, sent.text
    document = sent.json()
    assert (document["name"], document["kind"], document["status"]) == ("racks.md", "markdown", "ready")
    assert library.get("/api/rag/documents").json() == {"documents": [document]}

    sources = found(library, "Which degrees does the cold aisle hold?")
    assert sources[0]["document"] == document["id"]
    assert "eighteen degrees" in sources[0]["text"]
    assert sources[0]["score"] >= 0.7

    engine.script = Script(pieces=["It holds eighteen ", "degrees [1] ", "and not [7]."])
    body = {"question": "Which degrees does the cold aisle hold?"}
    with connect_sse(library, "POST", "/api/rag/query", json=body) as source:
        events = [(event.event, event.json()) for event in source.iter_sse()]
    names = [name for name, _ in events]
    assert names == ["session", "sources", *["token"] * (len(names) - 3), "done"]
    assert "".join(data["text"] for name, data in events if name == "token").endswith("and not [7].")
    assert events[1][1]["sources"][0]["name"] == "racks.md"
    assert events[-1][1]["citations"] == [1]
    told = engine.questions[-1]["messages"]
    assert told[0]["role"] == "system"
    assert "eighteen degrees" in told[0]["content"]
    session = library.get(f"/api/sessions/{events[0][1]['session']}").json()
    assert session["messages"][1]["sources"][0]["name"] == "racks.md"

    assert library.delete(f"/api/rag/documents/{document['id']}").status_code == 204
    assert library.get("/api/rag/documents").json() == {"documents": []}
    assert found(library, "Which degrees does the cold aisle hold?", threshold=0) == []
    assert library.delete(f"/api/rag/documents/{document['id']}").status_code == 404


def test_another_users_document_does_not_exist(
    settings: Settings,
    chroma: ChromaServer,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
) -> None:
    for kind in ("pgvector", "chroma"):
        app = start_app(with_store(settings, kind, chroma.url))
        with as_user(app, token("alice")) as alice, as_user(app, token("bob")) as bob:
            document = send(alice, "plans.txt", "The vault's combination is written on the blue card.").json()
            question = "Where is the vault's combination written?"
            assert found(alice, question)
            assert found(bob, question, threshold=0) == []
            assert found(bob, question, threshold=0, documents=[document["id"]]) == []
            assert bob.delete(f"/api/rag/documents/{document['id']}").status_code == 404
            assert bob.get("/api/rag/documents").json() == {"documents": []}
            assert alice.delete(f"/api/rag/documents/{document['id']}").status_code == 204


def test_every_kind_is_read(client: httpx.Client) -> None:
    assert (
        send(client, "one.pdf", pdf_file("The first page.", "The badge opens door nine.")).status_code == 201
    )
    assert send(client, "two.docx", docx_file("Doors", "The lift needs the green key.")).status_code == 201
    chinese = "机房的空调每季度检修一次，由运维部负责。".encode("gb18030")
    assert send(client, "三.txt", chinese).json()["name"] == "三.txt"
    (first, *_) = found(client, "Which door does the badge open?", threshold=0.5)
    assert (first["name"], first["page"]) == ("one.pdf", 2)
    (first, *_) = found(client, "Which key does the lift need?", threshold=0.5)
    assert (first["name"], first["heading"]) == ("two.docx", "Doors")
    assert "SN-4711" in first["text"]
    (first, *_) = found(client, "空调多久检修一次？", threshold=0.5)
    assert first["name"] == "三.txt"


def test_nothing_near_means_no_answer_and_no_question_to_the_model(
    client: httpx.Client, engine: EngineDouble
) -> None:
    send(client, "racks.md", RACKS)
    engine.questions.clear()
    body = {"question": "Wer gewann gestern das Endspiel?", "stream": False}
    answer = client.post("/api/rag/query", json=body)
    assert answer.status_code == 200
    assert (answer.json()["finish_reason"], answer.json()["sources"]) == ("no_sources", [])
    assert engine.questions == []


def test_a_cross_encoder_decides_where_there_is_one(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
    engine: EngineDouble,
) -> None:
    changed = settings.model_dump()
    changed["rag"]["rerank"] |= {"model": "cross-encoder"}
    with as_user(start_app(Settings.model_validate(changed)), token()) as client:
        send(client, "racks.md", RACKS * 8)
        engine.rerank = lambda _question, texts: [4.0 if "nineteen" in text else -4.0 for text in texts]
        sources = found(client, "Which degrees does the cold aisle hold?")
        assert sources
        assert all("nineteen" in source["text"] for source in sources)
        before = figure("rerank_fallbacks_total")
        engine.rerank = None
        assert "eighteen" in found(client, "Which degrees does the cold aisle hold?")[0]["text"]
        assert figure("rerank_fallbacks_total") == before + 1


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"0" * 150_000_000)
    return packed.getvalue()


def traversal() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("[Content_Types].xml", "word/document.xml", "../../../../etc/cron.d/evil"):
            archive.writestr(name, "x")
    return packed.getvalue()


def entities() -> bytes:
    """A DOCX whose text is an external entity, the classic way to read a server's files."""
    source, packed = zipfile.ZipFile(io.BytesIO(docx_file("Head", "MARK"))), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "word/document.xml":
                data = data.replace(b"MARK", b"&leak;")
                data = data.replace(b"?>", b'?><!DOCTYPE d [<!ENTITY leak SYSTEM "file:///etc/passwd">]>', 1)
            archive.writestr(entry, data)
    return packed.getvalue()


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


def test_away_models_and_stores_are_said_and_nothing_is_left(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
    engine: EngineDouble,
    database: psycopg.Connection[dict[str, Any]],
) -> None:
    app = start_app(with_store(settings, "chroma", f"http://127.0.0.1:{free_port()}"))
    with as_user(app, token()) as client:
        answer = send(client, "racks.md", RACKS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
        engine.embedding_status = 500
        answer = send(client, "racks.md", RACKS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "embedding_unavailable")
        answer = client.post("/api/rag/search", json={"question": "What is a rack?"})
        assert answer.status_code == 503
    assert database.execute("SELECT count(*) AS count FROM documents").fetchall() == [{"count": 0}]


def test_without_an_embedding_model_it_says_so(
    settings: Settings, start_app: Callable[[Settings], RunningApp], token: Callable[..., str]
) -> None:
    changed = settings.model_dump()
    changed["rag"]["embedding"]["model"] = ""
    with as_user(start_app(Settings.model_validate(changed)), token()) as client:
        answer = send(client, "racks.md", RACKS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "no_embedding_model")


def test_the_audit_line_of_an_upload_has_its_name_and_size(client: httpx.Client, app: RunningApp) -> None:
    send(client, "call 13812345678.txt", "Some words.")
    eventually(lambda: len(app.audit_lines()) == 1)
    assert app.audit_lines()[0]["body"] == {"file": "call 138****5678.txt", "size_bytes": 11}


def test_a_session_of_another_user_cannot_be_gone_on_with(
    app: RunningApp, token: Callable[..., str], client: httpx.Client
) -> None:
    session = client.post("/api/chat", json={"message": "Hello", "stream": False}).json()["session"]
    with as_user(app, token("bob")) as bob:
        for path, body in (("/api/chat", {"message": "Hi"}), ("/api/rag/query", {"question": "Hi"})):
            assert bob.post(path, json={**body, "session": session}).status_code == 404
            assert bob.post(path, json={**body, "session": str(uuid.uuid4())}).status_code == 404
        assert bob.get(f"/api/sessions/{session}").status_code == 404
