"""The smoke tests' document, question and workflow: a stand-in for the edge breaks one promise at a time."""

from __future__ import annotations

import json
import re
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from test_smoke import HOST, RunModule, certificate, failed, served

__all__ = ["certificate"]
NUMBER = "11111111-2222-3333-4444-555555555555"


class Edge(BaseHTTPRequestHandler):
    """What a sound platform answers, but for the promises in `broken`."""

    protocol_version = "HTTP/1.1"
    broken: ClassVar[set[str]] = set()
    document: ClassVar[dict[str, str]] = {}

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert self.headers["Authorization"] == "Bearer a-token"
        {
            "/api/rag/upload": self._upload,
            "/api/rag/query": self._query,
            "/api/workflow": self._workflow,
        }[self.path](body)

    def do_DELETE(self) -> None:
        assert self.path.endswith(NUMBER)
        self._answer(500 if "removal" in self.broken else 204)

    def _upload(self, body: str) -> None:
        if "no model" in self.broken:
            self._answer(501, {"error": {"code": "no_embedding_model", "message": "There is none."}})
        elif "upload" in self.broken:
            self._answer(502, {"error": {"code": "embedding_failed", "message": "It failed."}})
        else:
            found = re.search(r'filename="([^"]+)"', body)
            assert found
            self.document.update(name=found[1], text=body.split("\r\n\r\n")[1].rpartition("\r\n--")[0])
            self._answer(201, {"id": NUMBER, "chunks": 1, "status": "ready"})

    def _query(self, body: str) -> None:
        asked = json.loads(body)
        assert (asked["documents"], asked["stream"]) == ([NUMBER], False)
        sources = [] if "query" in self.broken else [dict(self.document)]
        self._answer(200, {"answer": "Eighteen.", "sources": sources})

    def _workflow(self, body: str) -> None:
        assert json.loads(body)["inputs"] == {"word": "rack"}
        asked = "" if "workflow" in self.broken else "A rack holds servers."
        self._answer(200, {"output": asked, "outputs": {"word": "RACK", "ask": asked, "end": asked}})

    def _answer(self, status: int, told: object = None) -> None:
        text = b"" if told is None else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def work(certificate: Path, run_module: RunModule) -> RunModule:
    """Runs the module against a platform with some promises broken."""

    def worked(*broken: str) -> dict[str, Any]:
        Edge.broken = set(broken)
        edge = ThreadingHTTPServer(("127.0.0.1", 0), Edge)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        edge.socket = context.wrap_socket(edge.socket, server_side=True)
        with served(edge) as port:
            return run_module(
                "smoke_work",
                {
                    "address": "127.0.0.1",
                    "https_port": port,
                    "host": HOST,
                    "ca": (certificate / "cert.pem").read_text(),
                    "token": "a-token",
                    "answer_timeout": 5,
                },
            )

    return worked


def test_a_sound_platform_passes(work: RunModule) -> None:
    result = work()
    assert not result["failed"], result
    assert [step["name"] for step in result["steps"]] == ["upload", "query", "removal", "workflow"]
    assert not any(step.get("skipped") for step in result["steps"])
    assert "a-token" not in json.dumps(result)


@pytest.mark.parametrize("step", ["upload", "query", "removal", "workflow"])
def test_one_broken_promise_fails_its_step(work: RunModule, step: str) -> None:
    result = work(step)
    assert result["failed"]
    assert failed(result) == {step}


def test_a_site_without_an_embedding_model_leaves_documents_out_and_says_so(work: RunModule) -> None:
    result = work("no model")
    assert not result["failed"], result
    skipped = {step["name"]: step["detail"] for step in result["steps"] if step.get("skipped")}
    assert set(skipped) == {"upload", "query", "removal"}
    assert all("no embedding model" in detail for detail in skipped.values())
