"""One of two engines dies under load: nothing else fails, and it comes back by itself."""

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from conftest import PORT, Ask
from machines import PROJECT, Machines
from test_route import log

PROGRAM = (PROJECT / "tools/rackwright/bench/inference_load.py").read_text()
PYTHON = "/opt/rackwright/app/current/bin/python"
USERS, SECONDS, KILLED_AFTER = 6, 45, 8
RECOVERY_SECONDS = 300


def load(machines: Machines, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Asks from the app's host, in the app's environment."""
    machines.inside("app1", "cat > /run/load.py", data=PROGRAM)
    found = machines.inside("app1", f"{PYTHON} /run/load.py", data=json.dumps(settings))
    return list(json.loads(found))


def started(machines: Machines, host: str) -> str:
    """When the engine's container was started last, and whether it is healthy."""
    return machines.inside(
        host, "docker inspect -f '{{.State.StartedAt}} {{.State.Health.Status}}' llama_cpp", check=False
    )


class Killed:
    """What was seen while one engine was killed under load."""

    def __init__(
        self, machines: Machines, requests: list[dict[str, Any]], entries: list[dict[str, Any]]
    ) -> None:
        self.address = f"{machines.addresses['app2']}:8080"
        self.requests, self.entries = requests, entries
        self.at, self.back = 0.0, 0.0


@pytest.fixture(scope="module")
def killed(machines: Machines, key: str, model: str) -> Killed:
    """Kills the engine of app2 by SIGKILL while six users ask, and waits until it is back."""
    settings = {
        "url": f"https://{machines.addresses['app1']}:{PORT}/v1",
        "key": key,
        "ca": machines.inside("app1", "cat /etc/rackwright/tls/ca.pem"),
        "model": model,
        "users": USERS,
        "seconds": SECONDS,
        "grace": 30,
        "silence": 30,
        "tokens": 48,
        "prompts": ["What is a rack?", "Name three parts of a server.", "Why do fans turn?"],
    }
    requests: list[dict[str, Any]] = []
    found = Killed(machines, requests, [])
    users = threading.Thread(target=lambda: requests.extend(load(machines, settings)))
    before = len(log(machines))
    users.start()
    time.sleep(KILLED_AFTER)
    first = started(machines, "app2")
    assert first.endswith("healthy")
    # As a crash is: not asked of Docker, which would take it for its operator's wish.
    machines.inside("app2", "kill -9 $(docker inspect -f '{{.State.Pid}}' llama_cpp)")
    found.at = time.time()
    while time.time() - found.at < RECOVERY_SECONDS:
        now = started(machines, "app2")
        if now.endswith(" healthy") and now != first:
            break
        time.sleep(0.5)
    found.back = time.time()
    users.join()
    found.entries = [entry for entry in log(machines)[before:] if entry["path"] == "/v1/chat/completions"]
    return found


def test_nothing_fails_that_was_not_in_flight_on_it(killed: Killed, tell: Callable[[str], None]) -> None:
    assert len(killed.requests) > 5 * USERS
    failed = [request for request in killed.requests if request["error"]]
    late = [request for request in failed if request["began"] > killed.at]
    assert late == []
    # Each user has one request at a time, and the other engine had its part.
    assert len(failed) <= USERS
    refused = [entry for entry in killed.entries if entry["status"] != "200"]
    assert {entry["upstream"].split(", ")[-1] for entry in refused} <= {killed.address}
    tell(f"{len(killed.requests)} requests, {len(failed)} in flight on the engine that died")


def test_it_comes_back_by_itself_in_time(
    killed: Killed, machines: Machines, tell: Callable[[str], None]
) -> None:
    took = killed.back - killed.at
    assert took < RECOVERY_SECONDS, started(machines, "app2")
    tell(f"back and healthy after {took:.1f} s")


def test_it_gets_requests_again(killed: Killed, tell: Callable[[str], None]) -> None:
    """Under the same load still."""
    answered = [
        datetime.fromisoformat(entry["time"]).timestamp()
        for entry in killed.entries
        if entry["upstream"].endswith(killed.address) and entry["status"] == "200"
    ]
    # The log has whole seconds; what it had begun before may end in the same one.
    again = [moment for moment in answered if moment > killed.at + 2]
    assert again
    tell(f"gets requests again {min(again) - killed.at:.0f} s after it was killed")


def test_the_other_one_may_die_then(
    killed: Killed, machines: Machines, ask: Ask, chat: Callable[..., dict[str, Any]], key: str, model: str
) -> None:
    """The route's list of models follows its engines, and a model without an engine is told, fast."""
    del killed
    try:
        for host in ("app1", "app2"):
            machines.inside(host, "docker stop -t 1 llama_cpp")
        began = time.monotonic()
        listed, asked = ask("app1", {"method": "GET", "path": "/v1/models", "key": key}, chat())
        took = time.monotonic() - began
    finally:
        for host in ("app1", "app2"):
            machines.inside(host, "docker start llama_cpp")
    assert (listed["status"], asked["status"]) == (503, 502)
    assert model in json.loads(listed["body"])["error"]["message"]
    assert "engine" in json.loads(asked["body"])["error"]["message"]
    assert took < 20
    deadline = time.monotonic() + RECOVERY_SECONDS
    while not all(started(machines, host).endswith(" healthy") for host in ("app1", "app2")):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    # It is not waited for the end of their rest.
    assert ask("app1", chat())[0]["status"] == 200
