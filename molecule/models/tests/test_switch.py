"""A model is switched under load, refused, brought back; each test goes on from the last."""

import json

import yaml
from caller import Caller
from conftest import Operator
from machines import Machines

FIRST, OTHER = "tiny-random", "tiny-other"
BLOB = "/var/lib/rackwright/model-store/blobs"


def running(machines: Machines) -> list[str]:
    return machines.inside("app1", "docker ps --format '{{.Names}}'").split()


def untouched(operator: Operator) -> None:
    """A run of the site changes nothing, so nothing is switched back by it."""
    status, said = operator.play("playbooks/inference.yml")
    assert status == 0, said
    assert "changed=0" in said, said


def test_a_model_that_says_nothing_is_refused_and_the_old_one_serves(
    machines: Machines, operator: Operator, caller: Caller
) -> None:
    before = caller.ask()
    caller.start()
    status, said = operator.models("switch", "tiny-silent", "--engines-only")
    notes = caller.stop()
    assert status == 1
    assert f"{FIRST} serves on; tiny-silent was refused" in said
    assert 'golden prompt "words" (What is a rack?)' in said
    assert "at least 1 with text were expected" in said
    assert [note for note in notes if not note["ok"]] == []
    assert {note["text"] for note in notes} == {before}
    assert running(machines) == ["llama_cpp"]
    assert not operator.serving.exists()


def test_a_model_that_does_not_load_is_refused(machines: Machines, operator: Operator) -> None:
    status, said = operator.models("switch", "tiny-garbage", "--engines-only")
    assert status == 1
    assert "failed to load model" in said
    assert running(machines) == ["llama_cpp"]


def test_a_model_that_is_nowhere_is_refused_before_any_host_is_asked(operator: Operator) -> None:
    status, said = operator.models("switch", "qwen3-8b", "--engines-only")
    assert status == 1
    assert "it has no qwen3-8b" in said


def test_switching_under_load_fails_no_request(
    machines: Machines, operator: Operator, caller: Caller
) -> None:
    before = caller.ask()
    caller.start()
    status, said = operator.models("switch", OTHER, "--engines-only")
    notes = caller.stop()
    assert status == 0, said
    assert [note for note in notes if not note["ok"]] == []
    texts = [note["text"] for note in notes]
    # First the old one answered, at last the new one, to both kinds of callers.
    assert texts[0] == before
    assert {note["text"] for note in notes[-6:]} == {caller.ask()} != {before}
    assert {note["kept"] for note in notes} == {True, False}
    assert running(machines) == ["llama_cpp"]
    assert machines.inside("app1", "nft list tables").count("rackwright_switch") == 0
    assert yaml.safe_load(operator.serving.read_text())["llama_cpp_model"]["name"] == OTHER
    untouched(operator)


def test_hosts_tell_what_they_hold(operator: Operator) -> None:
    status, said = operator.models("list", "--json")
    assert status == 0, said
    (host,) = json.loads(said)
    assert [(each["model"], each["licence"]) for each in host["held"] if each["model"] == OTHER] == [
        (OTHER, "CC0-1.0")
    ]


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


def test_rollback_returns(operator: Operator, caller: Caller) -> None:
    before = caller.ask()
    caller.start()
    status, said = operator.models("switch", "--rollback", "--engines-only")
    notes = caller.stop()
    assert status == 0, said
    assert [note for note in notes if not note["ok"]] == []
    assert caller.ask() != before
    assert "llama_cpp_model" not in yaml.safe_load(operator.serving.read_text())
    untouched(operator)


def test_stop_first_comes_back_when_the_model_is_refused(
    machines: Machines, operator: Operator, caller: Caller
) -> None:
    before = caller.ask()
    status, said = operator.models("switch", "tiny-silent", "--stop-first", "--engines-only")
    assert status == 1
    assert "tiny-silent was refused" in said
    assert caller.ask() == before
    assert running(machines) == ["llama_cpp"]
    untouched(operator)
