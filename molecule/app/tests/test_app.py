"""The app on its host: documents, workflows, users, the audit trail, a restart that nobody notices."""

import json
import threading
import time
from typing import Any

from conftest import ASKER, PROGRAM, PYTHON, Ask
from machines import Machines

RACKS = "# Racks\n\nA rack holds servers in nineteen inch units."


def body(answer: dict[str, Any], status: int = 200) -> dict[str, Any]:
    assert answer["status"] == status, answer
    found: dict[str, Any] = json.loads(answer["body"])
    return found


def test_a_document_goes_through_parser_engine_and_store(ask: Ask) -> None:
    """Under the unit's sandbox, with its limits; the weights are random: only the way is proved."""
    (sent,) = ask({"path": "/api/rag/upload", "file": "racks.md", "text": RACKS})
    document = body(sent, 201)
    question = {"question": "How wide is a rack?", "threshold": 0}
    found, gone = ask(
        {"path": "/api/rag/search", "json": question},
        {"method": "DELETE", "path": f"/api/rag/documents/{document['id']}"},
    )
    assert body(found)["sources"][0]["name"] == "racks.md"
    assert gone["status"] == 204


def test_a_template_that_never_ends_is_ended_under_the_sandbox(ask: Ask) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}"

    def transform(template: str) -> dict[str, Any]:
        steps = [{"id": "one", "type": "transform", "template": template}]
        return {"path": "/api/workflow", "json": {"workflow": {"steps": steps}, "stream": False}}

    good, bad = ask(transform("{{ 'rack' | upper }}"), transform(endless))
    assert body(good)["output"] == "RACK"
    assert body(bad, 422)["error"]["code"] == "step_failed"


def test_a_user_signs_in(machines: Machines, ask: Ask) -> None:
    machines.inside("app1", f"{PROGRAM} user add wang", data="a long pass phrase\n", check=False)
    right, wrong = ask(
        {"path": "/api/auth/login", "json": {"user": "wang", "password": "a long pass phrase"}},
        {"path": "/api/auth/login", "json": {"user": "wang", "password": "another pass phrase"}},
    )
    assert body(right)["user"] == "wang"
    assert wrong["status"] == 401


def test_the_audit_trail_holds_until_a_line_is_removed(machines: Machines, ask: Ask) -> None:
    ask(*[{"method": "GET", "path": "/api/sessions"}] * 3)
    time.sleep(3)
    assert "0 problems" in machines.inside("app1", f"{PROGRAM} audit verify")
    removed = (
        "cd /tmp && cp /var/log/rackwright-app/audit.log audit.log && sed -i 2d audit.log"
        f" && chmod 644 audit.log; {PROGRAM} audit verify --file /tmp/audit.log --no-table; echo status $?"
    )
    told = machines.inside("app1", removed)
    assert "status 1" in told
    assert "missing 2 to 2" in told


def test_a_planned_restart_fails_no_request(machines: Machines) -> None:
    machines.inside("app1", "cat > /run/asker.py", data=ASKER)
    work = {"url": f"https://{machines.addresses['app1']}:3001", "token": "", "seconds": 15}
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(
        target=lambda: answers.extend(
            json.loads(machines.inside("app1", f"{PYTHON} /run/asker.py", data=json.dumps(work)))
        )
    )
    asking.start()
    time.sleep(3)
    machines.inside("app1", "systemctl restart rackwright-app.service")
    asking.join()
    assert len(answers) > 50
    assert [answer for answer in answers if answer["status"] != 200] == []


def test_retention_runs_by_its_timer(machines: Machines) -> None:
    machines.inside("app1", "systemctl start rackwright-app-retention.service")
    assert "02:00" in machines.inside("app1", "systemctl cat rackwright-app-retention.timer")
    assert machines.inside("app1", "systemctl is-active rackwright-app-retention.timer") == "active"


def test_the_page_lies_where_the_edge_serves_it(machines: Machines) -> None:
    page = machines.inside("edge1", "cat /srv/rackwright/frontend/current/index.html")
    asked = [part.split('"')[0] for part in page.split('src="')[1:]]
    assert asked
    machines.inside("edge1", f"test -s /srv/rackwright/frontend/current{asked[0]}")
