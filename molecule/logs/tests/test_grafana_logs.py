"""Grafana on the store's own host reads the lines as who may read them. Contract doubles stand for both."""

import json

from asking import answer_of
from conftest import LogStore
from machines import SOURCES, Machines

from rackwright.site.inventory import load_inventory

SOURCE = "/api/datasources/proxy/uid/rackwright-elasticsearch"


def test_it_counts_the_lines_as_their_reader(machines: Machines, log_store: LogStore) -> None:
    password = str(load_inventory(SOURCES).hosts["ops1"].variables["vault_grafana_viewer_password"])
    grafana = f"https://{machines.addresses['ops1']}:3002"

    def asked(path: str) -> tuple[int, dict[str, object]]:
        status, text = answer_of(machines, "ops1", f"{grafana}{SOURCE}{path}", ("viewer", password))
        return status, json.loads(text)

    stored = len(log_store.lines())
    status, answer = asked("/ai-platform-*/_count")
    assert status == 200, answer
    assert int(str(answer["count"])) >= stored > 0
    assert asked("/_security/_authenticate")[1]["username"] == "reader"
