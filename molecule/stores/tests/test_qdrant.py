"""The role qdrant, against a contract double of Qdrant: what it is told, who reaches it, what it keeps.

The site changes its store here, from Chroma to Qdrant, as an operator would.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import Ask
from testinfra.host import Host

from rackwright.site.inventory import Inventory
from rackwright.site.load import site_of
from rackwright.sizing.report import size_site

PROJECT = Path(__file__).resolve().parents[3]
Connect = Callable[[str], Host]
COLLECTION = {"vectors": {"size": 2, "distance": "Cosine"}}
POINTS = {
    "points": [
        {"id": 1, "vector": [1.0, 0.0], "payload": {"text": "one"}},
        {"id": 2, "vector": [0.0, 1.0]},
        {"id": 3, "vector": [0.9, 0.1]},
    ]
}


def apply(*playbooks: str) -> int:
    """Applies parts of the site with Qdrant as its store, and returns how much they changed."""
    changed = 0
    for playbook in playbooks:
        command = ["ansible-playbook", f"playbooks/{playbook}.yml", "-e", "vector_store=qdrant"]
        sources = os.environ["RACKWRIGHT_INVENTORY"].split(":")
        command += [part for source in sources for part in ("-i", source)]
        command += ["--limit", "data1,app1"]
        environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        changed += sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))
    return changed


@pytest.fixture(scope="module")
def url(variables: Mapping[str, Any]) -> str:
    """Where it is called, once the site has it."""
    assert apply("base", "vector_store") > 0
    return f"https://{variables['ansible_host']}:6333"


@pytest.fixture(scope="module")
def key(variables: Mapping[str, Any]) -> str:
    return str(variables["vault_vector_store_api_key"])


@pytest.fixture
def collection(ask: Ask, url: str, key: str) -> str:
    found = f"{url}/collections/passages"
    ask("app1", found, key=key, method="DELETE")
    status, text = ask("app1", found, COLLECTION, key, "PUT")
    assert status == 200, text
    assert ask("app1", f"{found}/points?wait=true", POINTS, key, "PUT")[0] == 200
    return found


def test_a_second_run_changes_nothing(url: str) -> None:
    assert url
    assert apply("vector_store") == 0


def test_the_store_of_before_is_stopped_and_keeps_what_it_holds(connect: Connect, url: str) -> None:
    assert url
    data = connect("data1")
    for unit in (
        "rackwright-chroma.service",
        "rackwright-chroma-front.service",
        "rackwright-chroma-front.socket",
    ):
        found = data.service(unit)
        assert not found.is_running
        assert not found.is_enabled
    assert data.file("/var/lib/rackwright-chroma/chroma.sqlite3").size > 0


def test_the_app_keeps_vectors_and_finds_the_nearest(ask: Ask, key: str, collection: str) -> None:
    question = {"query": [1.0, 0.0], "limit": 2, "with_payload": True}
    status, text = ask("app1", f"{collection}/points/query", question, key)
    assert status == 200, text
    points = json.loads(text)["result"]["points"]
    assert [point["id"] for point in points] == [1, 3]
    assert points[0]["payload"] == {"text": "one"}


def test_without_the_key_only_its_health_is_told(ask: Ask, url: str) -> None:
    assert ask("app1", f"{url}/collections")[0] == 401
    assert ask("app1", f"{url}/collections", key="wrong")[0] == 401
    assert ask("app1", f"{url}/readyz")[0] == 200


def test_nobody_speaks_in_clear(ask: Ask, url: str, key: str) -> None:
    assert ask("app1", f"{url.replace('https', 'http')}/collections", key=key)[0] == 0


def test_a_new_collection_has_the_sites_defaults(
    ask: Ask, inventory: Inventory, key: str, collection: str
) -> None:
    found = json.loads(ask("app1", collection, key=key)[1])["result"]["config"]
    assert found["hnsw_config"] == {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000}
    assert found["params"]["replication_factor"] == 1
    (sized,) = (host for host in size_site(inventory, site_of(inventory)) if host.name == "data1")
    assert sized.sizing is not None
    assert "qdrant" not in sized.sizing.services, "the inventory's own store is Chroma"
    assert found["optimizer_config"]["memmap_threshold_kb"] > 0


def test_a_snapshot_brings_a_collection_back(ask: Ask, key: str, collection: str) -> None:
    status, text = ask("app1", f"{collection}/snapshots", {}, key)
    assert status == 200, text
    name = json.loads(text)["result"]["name"]
    ask("app1", collection, key=key, method="DELETE")
    body = {"location": f"file:///qdrant/snapshots/passages/{name}"}
    assert ask("app1", f"{collection}/snapshots/recover", body, key, "PUT")[0] == 200
    assert json.loads(ask("app1", collection, key=key)[1])["result"]["points_count"] == 3


def test_a_new_container_has_the_old_data(connect: Connect, ask: Ask, key: str, collection: str) -> None:
    connect("data1").check_output("docker restart qdrant")
    status = 0
    for _ in range(30):
        status, text = ask("app1", collection, key=key)
        if status == 200:
            break
    assert status == 200
    assert json.loads(text)["result"]["points_count"] == 3


def test_it_is_shut_in_and_the_key_is_in_no_argument(connect: Connect, key: str, url: str) -> None:
    assert url
    shown = connect("data1").check_output("docker inspect qdrant")
    assert key not in shown
    (found,) = json.loads(shown)
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["Config"]["User"] == "60610:60610"
    published = {port for port, bindings in found["HostConfig"]["PortBindings"].items() if bindings}
    assert published == {"6333/tcp", "6334/tcp"}, "peers are for clusters"
    assert connect("data1").file("/etc/rackwright/tls/qdrant/key.pem").gid == 60610


def test_the_former_store_is_called_by_nobody(ask: Ask, url: str, key: str) -> None:
    assert ask("app1", f"{url.replace('6333', '8010')}/health", key=key)[0] == 0
