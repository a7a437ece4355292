"""Both engines are switched to another model under load, refused, brought back; each test goes on.

Who asks: people through the app, by streams, and a program through the route.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from caller import QUESTION, Callers, caller
from conftest import PORT
from machines import PROJECT, Machines
from operating import Operator
from test_route import log

from rackwright.secrets.token import access_token
from rackwright.site.inventory import Inventory

FIRST, OTHER = "tiny-random", "tiny-other"
BLOB = "/var/lib/rackwright/model-store/blobs"
ENGINES = ("app1", "app2")
USERS = 40


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Who gives commands."""
    # The project's own list of golden prompts comes in after the lab's with the scenario's directory; it
    # wants a model that knows something.
    lab = yaml.safe_load((PROJECT / "inventories/lab/group_vars/all/models.yml").read_text())
    return Operator(tmp_path_factory.mktemp("operator") / "site", {"golden_prompts": lab["golden_prompts"]})


@pytest.fixture(scope="session")
def callers(machines: Machines, inventory: Inventory, key: str) -> Callers:
    """Two through the app, one of them keeping its connection, and one through the route."""
    address = machines.addresses["app1"]
    secret = str(inventory.hosts["app1"].variables["vault_jwt_secret"])
    # An hour's limit is for each of them.
    tokens = [access_token(secret, user=f"caller{number}", role="user", hours=1) for number in range(USERS)]
    app = f"https://{address}:3001/api/chat"
    end = "event: done"
    return Callers(
        machines,
        "app1",
        [
            caller(
                f"https://{address}:{PORT}/v1/chat/completions",
                [key],
                {"model": FIRST, **QUESTION},
                name="route",
            ),
            caller(app, tokens[::2], {"message": "What is a rack?"}, name="stream", end=end, pause=0.5),
            caller(app, tokens[1::2], {"message": "Why do fans turn?"}, name="kept", end=end, keep=True),
        ],
    )


def running(machines: Machines) -> set[str]:
    """The containers of both engines."""
    names = {machines.inside(host, "docker ps --format '{{.Names}}'") for host in ENGINES}
    return {name for line in names for name in line.split()}


def asked_for(machines: Machines, since: int) -> list[str]:
    """The models that the app asked the route for, in order."""
    entries = [entry for entry in log(machines)[since:] if entry["path"] == "/v1/chat/completions"]
    return [str(entry["model"]) for entry in entries]


def failed(notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert {note["caller"] for note in notes} == {"route", "stream", "kept"}
    return [note for note in notes if not note["ok"]]


def test_a_model_that_says_nothing_is_refused_and_the_old_one_serves(
    machines: Machines, operator: Operator, callers: Callers
) -> None:
    before = callers.ask()
    callers.start()
    status, said = operator.models("switch", "tiny-silent")
    notes = callers.stop()
    assert status == 1
    assert f"{FIRST} serves on; tiny-silent was refused" in said
    assert 'golden prompt "words" (What is a rack?)' in said
    assert "at least 1 with text were expected" in said
    assert failed(notes) == []
    assert {note["text"] for note in notes if note["caller"] == "route"} == {before}
    assert running(machines) == {"llama_cpp"}
    assert not operator.serving.exists()


def test_a_model_that_is_nowhere_is_refused_before_any_host_is_asked(operator: Operator) -> None:
    status, said = operator.models("switch", "qwen3-8b")
    assert status == 1
    assert "it has no qwen3-8b" in said


def test_switching_under_load_fails_no_request(
    machines: Machines, operator: Operator, callers: Callers, tell: Callable[[str], None]
) -> None:
    since = len(log(machines))
    before = callers.ask()
    callers.start()
    # How fast this machine is while all that runs on it proves nothing.
    status, said = operator.models("switch", OTHER, "--accept-slow")
    # The app's workers are replaced one after the other.
    deadline = time.monotonic() + 90
    while status == 0 and OTHER not in asked_for(machines, since) and time.monotonic() < deadline:
        time.sleep(1)
    notes = callers.stop()
    assert status == 0, said
    assert failed(notes) == []
    texts = [note["text"] for note in notes if note["caller"] == "route"]
    # First the old one answered, at last the new one, which answers by the old name, too.
    assert texts[0] == before
    assert {callers.ask()} == {texts[-1]} != {before}
    # The app asks by the new name, without having been away.
    models = asked_for(machines, since)
    assert OTHER in models
    streamed = [note for note in notes if note["caller"] != "route"]
    tell(f"{len(notes)} requests, {len(streamed)} of them streams through the app; none failed")
    assert "the app asks for it by its name" in said
    assert running(machines) == {"llama_cpp"}
    assert all("rackwright_switch" not in machines.inside(host, "nft list tables") for host in ENGINES)
    assert operator.served("llama_cpp_model")["name"] == OTHER
    operator.untouched("playbooks/inference.yml", "--limit", "app1,app2")


def test_hosts_tell_what_they_hold(operator: Operator) -> None:
    status, said = operator.models("list", "--json")
    assert status == 0, said
    for host in json.loads(said):
        held = [(each["model"], each["licence"]) for each in host["held"] if each["model"] == OTHER]
        assert held == [(OTHER, "CC0-1.0")]


def test_verify_names_what_is_damaged_and_mends_it(machines: Machines, operator: Operator) -> None:
    script = f"f=$(ls -S {BLOB}/* | head -1); printf X | dd of=$f bs=1 seek=100000 conv=notrunc status=none"
    machines.inside("app1", script)
    status, said = operator.models("verify", "--check")
    assert status == 1
    assert "model.gguf" in said
    status, said = operator.models("verify", "--mend")
    assert status == 0, said
    assert "model.gguf" in said
    status, said = operator.models("verify", "--check")
    assert status == 0, said


def test_rollback_returns(operator: Operator, callers: Callers) -> None:
    before = callers.ask()
    callers.start()
    status, said = operator.models("switch", "--rollback")
    notes = callers.stop()
    assert status == 0, said
    assert failed(notes) == []
    assert callers.ask() != before
    served = operator.served("llama_cpp_model")
    assert (served["name"], served["also"]) == (FIRST, [OTHER])


def test_stop_first_comes_back_when_the_model_does_not_load(
    machines: Machines, operator: Operator, callers: Callers
) -> None:
    """One host after the other: the second one never stopped, so the route had an engine all the time."""
    before = callers.ask()
    callers.start()
    status, said = operator.models("switch", "tiny-garbage", "--stop-first")
    notes = callers.stop()
    assert status == 1
    assert "failed to load model" in said
    # What the first engine was just writing when it was stopped, at most an answer of each caller.
    assert len(failed(notes)) <= len(callers.callers)
    assert callers.ask() == before
    assert running(machines) == {"llama_cpp"}
    operator.untouched("playbooks/inference.yml", "--limit", "app1,app2")
