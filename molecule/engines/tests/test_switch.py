"""Each engine is switched to another model and back, and refuses a wrong one, while somebody asks it.

Against the doubles: what is proven is what the command, the roles and the playbooks do, and that no caller is
refused meanwhile. The commands for the four engines are given side by side, each for a site of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from caller import QUESTION, Callers, caller
from machines import Machines
from operating import Operator

from rackwright.models.switch.ways import WAYS, served
from rackwright.site.inventory import Inventory

ENGINES = ("ollama", "vllm", "fastchat", "localai")
GOLDEN = [{"name": "voice", "prompt": "Say something.", "pattern": "^(?!nonsense)", "same": True}]
Outcomes = Mapping[str, tuple[int, str, list[dict[str, Any]]]]


class Site:
    """One engine's host, its operator, and who asks it."""

    def __init__(self, engine: str, operator: Operator, machines: Machines, inventory: Inventory) -> None:
        self.engine, self.operator, self.way = engine, operator, WAYS[engine]
        self.host, self.machines = f"{engine}1", machines
        variables = inventory.hosts[self.host].variables
        self.first = str(served(self.way, variables[self.way.variable])["name"])
        key = str(variables.get(f"vault_{engine}_api_key") or "none")
        port = machines.site.catalogue.services[engine].ports["api"].port
        url = f"http://{machines.addresses[self.host]}:{port}/v1/chat/completions"
        body = {"model": self.first, **QUESTION}
        # The same machine: what it sends itself goes the way of Docker's published ports, too.
        self.callers = Callers(
            machines, self.host, [caller(url, [key], body, name="each", pause=0.1),]
        )  # fmt: skip

    def switch(self, *arguments: str) -> tuple[int, str, list[dict[str, Any]]]:
        """Give the command under load; returns its status, what it said, and what callers got."""
        self.callers.start()
        status, said = self.operator.models(
            "switch", *arguments, "--engine", self.engine, "--drain-seconds", "15"
        )
        return status, said, self.callers.stop()

    def switch_to_next(self) -> tuple[int, str, list[dict[str, Any]]]:
        """Switch to the right one; the app is told by --finish."""
        return self.to("double-next", "--engines-only", "--accept-slow")

    def to(self, model: str, *more: str) -> tuple[int, str, list[dict[str, Any]]]:
        """Switch to a model in the form that the engine reads."""
        return self.switch(model, "--quantisation", "f32" if self.way.files == "gguf" else "bf16", *more)

    def running(self) -> list[str]:
        """The containers of its host."""
        return sorted(self.machines.inside(self.host, "docker ps --format '{{.Names}}'").split())


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory, inventory: Inventory) -> dict[str, Site]:
    """The engines' sites."""
    machines = Machines()
    root = tmp_path_factory.mktemp("operators")
    bundle = str(inventory.hosts["vllm1"].variables["my_doubles"]["bundle"])
    own = {"golden_prompts": GOLDEN, "model_sources": [{"kind": "folder", "path": bundle}]}
    return {engine: Site(engine, Operator(root / engine, own), machines, inventory) for engine in ENGINES}


def side_by_side(sites: Mapping[str, Site], do: Callable[[Site], Any]) -> dict[str, Any]:
    """Do something with all engines at the same time."""
    with ThreadPoolExecutor(len(sites)) as pool:
        found = {engine: pool.submit(do, site) for engine, site in sites.items()}
        return {engine: each.result() for engine, each in found.items()}


@pytest.fixture(scope="session")
def before(sites: dict[str, Site]) -> dict[str, list[str]]:
    """The containers before anything was switched."""
    return side_by_side(sites, Site.running)


@pytest.fixture(scope="session")
def refused(sites: dict[str, Site], before: object) -> Outcomes:
    """All are told to serve a model whose answers are wrong."""
    del before
    return side_by_side(sites, lambda site: site.to("double-wrong"))


@pytest.fixture(scope="session")
def switched(sites: dict[str, Site], refused: object) -> Outcomes:
    """Then one that is right; the app's name is left for later."""
    del refused
    return side_by_side(sites, Site.switch_to_next)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrong_model_is_refused_and_the_old_one_serves(
    sites: dict[str, Site], before: dict[str, list[str]], refused: Outcomes, engine: str
) -> None:
    status, said, notes = refused[engine]
    site = sites[engine]
    assert status == 1, said
    assert f"{site.first} serves on; double-wrong was refused" in said
    assert 'golden prompt "voice"' in said
    assert "nonsense" in said
    assert [note for note in notes if not note["ok"]] == []
    assert not any(note["text"].startswith("nonsense") for note in notes)
    assert site.running() == before[engine]
    assert not site.operator.serving.exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_right_one_takes_its_place_and_no_request_fails(
    sites: dict[str, Site], before: dict[str, list[str]], switched: Outcomes, engine: str
) -> None:
    status, said, notes = switched[engine]
    site = sites[engine]
    assert status == 0, said
    assert [note for note in notes if not note["ok"]] == []
    assert len(notes) > 10
    value = site.operator.served(site.way.variable)
    assert served(site.way, value)["name"] == "double-next"
    # By the old name, which callers have not forgotten: the new one, or the old one where both are there.
    voices = {note["text"].partition(" ")[0] for note in notes[-4:]}
    assert ("well" in voices) == (engine in {"vllm", "localai"})
    if engine != "fastchat":
        assert site.running() == before[engine]
    site.operator.untouched("playbooks/inference.yml", "--limit", site.host)


def test_every_instance_of_vllm_was_switched(sites: dict[str, Site], switched: Outcomes) -> None:
    del switched
    value = sites["vllm"].operator.served("vllm_instances")
    assert [(entry["name"], entry["also"]) for entry in value] == [("double-next", ["served-double"])] * 2
    assert value[1]["max_model_len"] == 512


def test_fastchats_old_worker_goes_when_callers_are_told(sites: dict[str, Site], switched: Outcomes) -> None:
    del switched
    site = sites["fastchat"]
    assert sum("chat-double" in name for name in site.running()) == 1
    status, said, notes = site.switch("--finish", "--engines-only")
    assert status == 0, said
    assert "the old model's worker is gone" in said
    # Callers of the old name are told so from then on, and not before.
    assert notes[0]["ok"]
    assert not any("chat-double" in name for name in site.running())


@pytest.fixture(scope="session")
def returned(sites: dict[str, Site], switched: object) -> Outcomes:
    """Back to the first."""
    del switched
    time.sleep(1)
    return side_by_side(sites, lambda site: site.switch("--rollback", "--engines-only"))


@pytest.mark.parametrize("engine", ENGINES)
def test_rollback_returns(sites: dict[str, Site], returned: Outcomes, engine: str) -> None:
    status, said, notes = returned[engine]
    site = sites[engine]
    assert status == 0, said
    if engine != "fastchat":
        assert [note for note in notes if not note["ok"]] == []
    assert served(site.way, site.operator.served(site.way.variable))["name"] == site.first
    assert notes[-1]["ok"]
    assert not notes[-1]["text"].startswith("well")


def test_a_host_of_another_engine_has_the_former_one_no_more(
    sites: dict[str, Site], returned: object, tmp_path: Path
) -> None:
    """Announced by a run in check mode, then done; what it had stays."""
    del returned
    site = sites["localai"]
    operator = Operator(tmp_path / "site", {})
    own = tmp_path / "site/host_vars" / site.host / "engine.yml"
    own.parent.mkdir(parents=True)
    own.write_text("inference_engine: ollama\n")
    models = site.machines.inside(site.host, "ls /var/lib/rackwright/models")
    status, said = operator.play("playbooks/inference.yml", "--limit", site.host, "--check")
    assert status == 0, said
    assert "Remove the containers of engines that the host has no more" in said
    assert site.running() == ["localai"]
    status, said = operator.play("playbooks/inference.yml", "--limit", site.host)
    assert status == 0, said
    assert site.running() == ["ollama"]
    assert set(models.split()) <= set(
        site.machines.inside(site.host, "ls /var/lib/rackwright/models").split()
    )
    operator.untouched("playbooks/inference.yml", "--limit", site.host)
