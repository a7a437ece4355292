"""Workflows: what runs, what is refused before it runs, and what no step can do."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from app_server import RunningApp
from engine_double import EngineDouble, Script
from httpx_sse import connect_sse

from rackwright_app.settings import Settings
from rackwright_app.workflow.reading import ReadError, read_request

REPORT = """
workflow:
  name: report
  steps:
    - {id: find, type: retrieve, query: "{{ inputs.topic }}", threshold: 0}
    - {id: some, type: branch, if: "steps.find | length > 0", then: ask, else: none}
    - id: ask
      type: llm
      system: Be brief.
      prompt: "About {{ inputs.topic }}: {{ steps.find[0].text }}"
      next: end
    - {id: none, type: transform, template: "nothing"}
    - id: end
      type: transform
      template: "Report: {{ (steps.ask if steps.ask is defined else steps.none) | upper }}"
inputs: {topic: racks}
"""


def steps(*made: dict[str, Any], **inputs: object) -> dict[str, Any]:
    return {"workflow": {"steps": list(made)}, "inputs": inputs, "stream": False}


def transform(template: str, name: str = "one") -> dict[str, Any]:
    return {"id": name, "type": "transform", "template": template}


def test_a_workflow_of_every_kind_of_step_streams_its_progress(
    client: httpx.Client, engine: EngineDouble
) -> None:
    client.post("/api/rag/upload", files={"file": ("racks.txt", b"All about racks and their screws.")})
    engine.script = Script(pieces=["They ", "hold ", "servers."])
    with connect_sse(
        client, "POST", "/api/workflow", content=REPORT, headers={"Content-Type": "application/yaml"}
    ) as source:
        events = [(event.event, event.json()) for event in source.iter_sse()]
    begun = [data["id"] for name, data in events if name == "step" and data["status"] == "started"]
    assert begun == ["find", "some", "ask", "end"]
    tokens = [data for name, data in events if name == "token"]
    assert {data["step"] for data in tokens} == {"ask"}
    assert "".join(data["text"] for data in tokens) == "They hold servers."
    assert events[-1][0] == "done"
    assert events[-1][1]["output"] == "Report: THEY HOLD SERVERS."
    assert events[-1][1]["outputs"]["some"] is True
    asked = engine.questions[-1]["messages"]
    assert asked[0] == {"role": "system", "content": "Be brief."}
    assert asked[1]["content"] == "About racks: All about racks and their screws."


def test_the_other_branch_is_taken(client: httpx.Client, engine: EngineDouble) -> None:
    body = REPORT + "stream: false\n"
    answer = client.post("/api/workflow", content=body, headers={"Content-Type": "text/yaml"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"] == "Report: NOTHING"
    assert engine.questions == []


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no steps": (steps(), 400, "steps"),
    "an unknown kind": (steps({"id": "a", "type": "fetch", "url": "http://10.0.0.1/"}), 400, "type"),
    "a key that no step has": (steps({**transform("x"), "url": "http://10.0.0.1/"}), 400, "url"),
    "an id twice": (steps(transform("x"), transform("y")), 422, "two steps"),
    "a jump to nowhere": (steps({**transform("x"), "next": "gone"}), 422, "no step gone"),
    "a loop": (steps(transform("x"), {**transform("y", "two"), "next": "one"}), 422, "go forward"),
    "a broken template": (steps(transform("{{ inputs.a")), 422, "template is wrong"),
    "an unknown name": (steps(transform("{{ config }}")), 422, "config is not known"),
    "a filter that is not there": (steps(transform("{{ 'x' | xmlattr }}")), 422, "no filter xmlattr"),
    "a step that has not run": (steps(transform("{{ steps.two }}"), transform("x", "two")), 422, "earlier"),
    "a number without end": (steps(transform("{{ " + "9" * 5000 + " }}")), 422, "template is wrong"),
    "a sum without end": (steps(transform("{{ 1" + " + 1" * 4500 + " }}")), 422, "template is wrong"),
    "another file": (steps(transform("{% include '/etc/passwd' %}")), 422, "includes and imports nothing"),
    "a long list": (steps(*[transform("x", f"s{n}") for n in range(40)]), 400, "steps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_it_runs(client: httpx.Client, case: str) -> None:
    body, status, words = REFUSED[case]
    answer = client.post("/api/workflow", json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.text


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ inputs['__class__'] }}",
    "{{ (inputs | attr('__class__')) }}",
    "{{ ''['__cl' ~ 'ass__'] }}",
    "{{ range.__globals__ }}",
    "{{ dict.mro() }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(inputs) }}",
    "{{ '%s' % inputs.__class__ }}",
    "{{ self.__init__.__globals__ }}",
    "{% set x = inputs.update({'a': 1}) %}",
    "{% for a in [1]|map(attribute='__class__.__base__') %}{{ a }}{% endfor %}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'] }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_nothing_escapes_from_a_template(client: httpx.Client, template: str) -> None:
    answer = client.post("/api/workflow", json=steps(transform(template), secret="s3cr3t"))
    assert answer.status_code in {200, 422}
    if answer.status_code == 200:
        # The sandbox answers with nothing where it hides something.
        assert not answer.json()["output"].strip()
    for leaked in ("s3cr3t", "uid=", "<module", "<class", "<function"):
        assert leaked not in answer.text


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10 ** 10 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{{ a * b }}{% endfor %}{% endfor %}",
        "{{ range(10 ** 9) | list | length }}",
        "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
        "{{ 'x' * 200000 }}",
    ],
)
def test_a_template_that_swells_or_never_ends_is_ended(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    token: Callable[..., str],
    template: str,
) -> None:
    changed = settings.model_dump()
    changed["workflows"] |= {"render_seconds": 1.5}
    app = start_app(Settings.model_validate(changed))
    began = time.monotonic()
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}, timeout=30) as client:
        answer = client.post("/api/workflow", json=steps(transform(template)))
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "step_failed")
        assert client.get("/health").status_code == 200
    assert time.monotonic() - began < 10


def test_no_step_opens_an_address(client: httpx.Client, engine: EngineDouble) -> None:
    """Whatever a step is given, only the engine is asked: a listener beside it hears nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/latest/meta-data"
        engine.script = Script(pieces=[f"See {address} ", f"![x]({address})"])
        answer = client.post(
            "/api/workflow",
            json=steps(
                transform("{{ inputs.address }}"),
                {"id": "find", "type": "retrieve", "query": "{{ steps.one }}"},
                {"id": "ask", "type": "llm", "prompt": "Fetch {{ steps.one }}"},
                transform("{{ steps.ask }}", "end"),
                address=address,
            ),
        )
        assert answer.status_code == 200, answer.text
        with pytest.raises(TimeoutError):
            listener.accept()


def test_secrets_of_the_service_are_not_where_templates_render(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RACKWRIGHT_APP_TOKENS__KEYS", "the-key")
    answer = client.post("/api/workflow", json=steps(transform("{{ inputs }}{{ steps }}")))
    assert answer.json()["output"] == "{}{}"


def test_an_engine_that_fails_is_said_with_its_step(client: httpx.Client, engine: EngineDouble) -> None:
    engine.script = Script(status=500)
    body = steps({"id": "ask", "type": "llm", "prompt": "Hello"})
    assert client.post("/api/workflow", json=body).json()["error"]["code"] == "engine_failed"
    with connect_sse(client, "POST", "/api/workflow", json={**body, "stream": True}) as source:
        events = [(event.event, event.json()) for event in source.iter_sse()]
    assert events[-1][0] == "error"


def test_a_check_runs_nothing(client: httpx.Client, engine: EngineDouble) -> None:
    good = steps({"id": "ask", "type": "llm", "prompt": "Hello"})
    assert client.post("/api/workflow/check", json=good).json() == {"problems": []}
    bad = steps({"id": "ask", "type": "llm", "prompt": "{{ nothing }}"})
    assert len(client.post("/api/workflow/check", json=bad).json()["problems"]) == 1
    assert engine.questions == []


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1]\nb: *a",
        "workflow: !!python/object/apply:os.system ['id']",
        "workflow: {steps: [{id: a, type: transform, template: 2026-01-01}]}",
        "\t",
        "[" * 5000,
    ],
)
def test_yaml_that_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(ReadError):
        read_request(text.encode(), is_yaml=True)


def test_json_stays_json() -> None:
    body = json.dumps(steps(transform("x"), a=[1, {"b": None}]))
    assert read_request(body.encode(), is_yaml=False).inputs == {"a": [1, {"b": None}]}
