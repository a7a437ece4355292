"""Kibana: who gets in, what it has of its files, what a second run does. A contract double stands for it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from asking import answer_of
from machines import Machines

from rackwright.site.inventory import load_inventory

XSRF = {"kbn-xsrf": "test"}
OF_KIBANA = ("kibana_system_password", "kibana_provisioner_password", "kibana_encryption_key")
EXPORT = {"objects": [{"type": "search", "id": "rackwright-errors"}], "excludeExportDetails": True}


@pytest.fixture(scope="module")
def passwords() -> dict[str, str]:
    """The vault's, by the name behind `vault_`."""
    sources = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]
    variables = load_inventory(sources).hosts["ops1"].variables
    names = ("log_reader_password", "log_shipper_password", *OF_KIBANA)
    return {name: str(variables[f"vault_{name}"]) for name in names}


def asked(
    machines: Machines,
    path: str,
    user: str = "",
    password: str = "",
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    url = f"https://{machines.addresses['ops1']}:5601{path}"
    return answer_of(machines, "ops1", url, (user, password), body, headers)


def test_it_reaches_its_store_and_tells_strangers_no_more(machines: Machines) -> None:
    status, text = asked(machines, "/kibana/api/status")
    assert (status, json.loads(text)) == (200, {"status": {"overall": {"level": "available"}}})
    # All of it is below its path, which the edge passes on as it is.
    assert asked(machines, "/api/status")[0] in {401, 404}


def test_who_may_read_looks_and_changes_nothing(machines: Machines, passwords: dict[str, str]) -> None:
    export, change = "/kibana/api/saved_objects/_export", "/kibana/api/data_views/default"
    reader = {"user": "reader", "password": passwords["log_reader_password"]}
    assert asked(machines, export, body=EXPORT, headers=XSRF)[0] == 401
    assert (
        asked(machines, export, "shipper", passwords["log_shipper_password"], body=EXPORT, headers=XSRF)[0]
        == 403
    )
    assert (
        asked(machines, change, **reader, body={"data_view_id": "x", "force": True}, headers=XSRF)[0] == 403
    )
    status, text = asked(machines, export, **reader, body=EXPORT, headers=XSRF)
    assert status == 200
    found = json.loads(text)
    source = json.loads(found["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["query"]["query"].startswith("log.level : ")
    assert found["references"][0]["id"] == "rackwright-logs"


def test_pages_begin_with_the_site_s_lines(machines: Machines, passwords: dict[str, str]) -> None:
    status, text = asked(
        machines, "/kibana/api/data_views/default", "reader", passwords["log_reader_password"]
    )
    assert (status, json.loads(text)) == (200, {"data_view_id": "rackwright-logs"})


def test_what_somebody_changed_is_brought_back_and_then_nothing_is(
    machines: Machines, passwords: dict[str, str]
) -> None:
    program = (
        f"rackwright-kibana https://{machines.addresses['ops1']}:5601/kibana"
        " /etc/rackwright/kibana /etc/rackwright/tls/ca.pem"
    )
    assert machines.inside("ops1", program) == ""
    admin = {"user": "kibana_provisioner", "password": passwords["kibana_provisioner_password"]}
    body = {"data_view_id": "another", "force": True}
    assert asked(machines, "/kibana/api/data_views/default", **admin, body=body, headers=XSRF)[0] == 200
    assert machines.inside("ops1", program) == "changed default data view"
    assert machines.inside("ops1", program) == ""


def test_no_secret_is_in_its_environment_or_its_arguments(
    machines: Machines, passwords: dict[str, str]
) -> None:
    inspected = machines.inside("ops1", "docker inspect kibana")
    for name in OF_KIBANA:
        assert passwords[name] not in inspected
    assert machines.inside("ops1", "stat -c %a /etc/rackwright/kibana/provisioner.password") == "600"
