#!/usr/bin/python
"""Has the platform do what its users have it do, from a client's side (see DOCUMENTATION)."""

from __future__ import annotations

import contextlib
import json
import secrets
from http import HTTPStatus
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.edge_client import ARGUMENTS, EdgeClient, Outcome, run_step
from ansible.module_utils.rackwright.smoke import finish

DOCUMENTATION = r"""
module: smoke_work
short_description: Send a document in, ask it, run a workflow
description:
  - Runs on a machine outside the zones and speaks HTTPS with the edge as a user's program would.
  - Steps are upload, query, removal and workflow. A site without an embedding model has no documents; the
    three steps about them are then left out, and say so.
  - The document is removed; the conversation about it stays.
options:
  address: {description: Address of the edge., type: str, required: true}
  https_port: {description: HTTPS port., type: int, required: true}
  host: {description: Host name of the API., type: str, required: true}
  ca: {description: PEM of the certificate authority that the client trusts., type: str, required: true}
  token: {description: Access token of the user who asks., type: str, required: true}
  answer_timeout:
    description: Longest wait for an answer in seconds.
    type: int
    default: 120
author: [Rackwright]
"""

EXAMPLES = r"""
- smoke_work:
    address: 10.77.10.11
    https_port: 443
    host: api.lab.rackwright.internal
    ca: "{{ lookup('file', 'pki/ca.pem') }}"
    token: "{{ token }}"
"""

RETURN = r"""
steps:
  description: One entry per step with name, ok, detail, latency_ms; skipped where the site has no such part.
  type: list
"""

SENTENCE = "The chillers hold the cold aisle at eighteen degrees."
WORKFLOW = {
    "steps": [
        {"id": "word", "type": "transform", "template": "{{ inputs.word | upper }}"},
        {"id": "known", "type": "branch", "if": "steps.word == 'RACK'", "then": "ask", "else": "end"},
        {"id": "ask", "type": "llm", "prompt": "What is a {{ steps.word }}?"},
        {"id": "end", "type": "transform", "template": "{{ steps.ask | default('nothing was asked') }}"},
    ]
}


class Client(EdgeClient):  # type: ignore[misc]  # found by Ansible alone
    """Sends requests, and keeps the document's number."""

    document = ""
    without_documents = False

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.name = f"smoke-{secrets.token_hex(4)}.md"

    def send(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, Any]:
        """Send one request; return status and what was answered, None for nothing."""
        headers = {
            "Authorization": f"Bearer {self.params['token']}",
            "Content-Type": kind,
            "User-Agent": "rackwright-smoke",
        }
        with contextlib.closing(self.connect(timeout=self.params["answer_timeout"])) as connection:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def ask(self, path: str, question: dict[str, Any]) -> tuple[int, Any]:
        """Send one question and return the whole answer."""
        return self.send("POST", path, json.dumps({**question, "stream": False}).encode(), "application/json")


def upload(client: Client) -> Outcome:
    """A document is taken in."""
    edge = secrets.token_hex(16)
    form = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{client.name}"\r\n'
        f"Content-Type: text/markdown\r\n\r\n# Cooling\n\n{SENTENCE}\r\n--{edge}--\r\n"
    )
    kind = f"multipart/form-data; boundary={edge}"
    status, answer = client.send("POST", "/api/rag/upload", form.encode(), kind)
    if status == HTTPStatus.NOT_IMPLEMENTED and answer["error"]["code"] == "no_embedding_model":
        client.without_documents = True
        return True, "left out: the site has no embedding model", {"skipped": True}
    if status != HTTPStatus.CREATED:
        return False, f"status {status}: {answer}", {}
    client.document = answer["id"]
    return answer["status"] == "ready", f"{answer['chunks']} pieces, {answer['status']}", {}


def query(client: Client) -> Outcome:
    """A question is answered from the document, and the answer names its source."""
    question = {"question": SENTENCE, "documents": [client.document], "threshold": 0}
    status, answer = client.ask("/api/rag/query", question)
    if status != HTTPStatus.OK:
        return False, f"status {status}: {answer}", {}
    sources = answer["sources"]
    named = bool(sources) and sources[0]["name"] == client.name and SENTENCE in sources[0]["text"]
    names = ", ".join(each["name"] for each in sources) or "none"
    shown = f"{len(answer['answer'])} characters, sources: {names}"
    return named and bool(answer["answer"].strip()), shown, {}


def removal(client: Client) -> Outcome:
    """The document is removed again."""
    status, answer = client.send("DELETE", f"/api/rag/documents/{client.document}", b"", "application/json")
    return status == HTTPStatus.NO_CONTENT, f"status {status}" + (f": {answer}" if answer else ""), {}


def workflow(client: Client) -> Outcome:
    """A workflow runs to its end, its branch and its model's step on the way."""
    status, answer = client.ask("/api/workflow", {"workflow": WORKFLOW, "inputs": {"word": "rack"}})
    if status != HTTPStatus.OK:
        return False, f"status {status}: {answer}", {}
    ran = answer["outputs"].get("word") == "RACK" and bool(str(answer["outputs"].get("ask", "")).strip())
    return ran and answer["output"] == answer["outputs"]["end"], f"steps: {', '.join(answer['outputs'])}", {}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    client, done = Client(module.params), list[dict[str, Any]]()
    for step in (upload, query, removal, workflow):
        if step in (query, removal) and not client.document:
            if not client.without_documents:
                continue
            told = {"name": step.__name__, "what": step.__doc__, "ok": True, "skipped": True}
            done.append({**told, "detail": "left out: the site has no embedding model", "latency_ms": None})
            continue
        entry, extra = run_step(step, client)
        done.append({**entry, **extra})
    finish(module, done)


if __name__ == "__main__":
    main()
