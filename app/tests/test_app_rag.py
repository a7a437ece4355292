"""Documents: sent in, found, cited, and never another user's."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from app_server import RunningApp, eventually, figure
from asking import as_user, found, send, with_store
from document_files import docx_file, pdf_file
from engine_double import EngineDouble, Script
from httpx_sse import connect_sse
from store_doubles import STORES
from stores import ChromaServer, free_port

from rackwright_app.settings import Settings

RACKS = (
    "# Racks\n\nA rack holds servers and switches in nineteen inch units.\n\n"
    "# Cooling\n\nThe chillers hold the cold aisle at eighteen degrees."
)


@pytest.fixture(params=["pgvector", *STORES])
def library(
    request: pytest.FixtureRequest,
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
) -> Iterator[httpx.Client]:
    """A client of an app on each store; doubles stand for Qdrant and Weaviate."""
    url = "" if request.param == "pgvector" else request.getfixturevalue(request.param).url
    with as_user(start_app(with_store(settings, request.param, url)), token()) as client:
        yield client


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
