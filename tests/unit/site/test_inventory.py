from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultSecret

from rackwright.errors import RackwrightError
from rackwright.site.inventory import load_inventory
from rackwright.site.load import load_site
from rackwright.site.plain import plain

Edit = Callable[[str, str, str], None]


def test_hosts_groups_and_templated_variables(lab: Path) -> None:
    inventory = load_inventory([lab])
    assert list(inventory.hosts) == ["edge1", "app1", "data1", "ops1", "outside1"]
    assert inventory.members("platform") == ("edge1", "app1", "data1", "ops1")
    assert inventory.members("no_such_group") == ()
    assert set(inventory.hosts["data1"].groups) == {"all", "platform", "zone_data", "postgresql", "redis"}
    variables = inventory.hosts["data1"].variables
    assert variables["ansible_host"] == "10.77.30.11"
    assert type(variables["ansible_host"]) is str
    assert variables["zones"]["app"] == {"cidr": "10.77.20.0/24"}
    assert type(variables["host_cpus"]) is int


def test_it_does_not_matter_where_one_stands(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_inventory([lab]).site_variables()["site_name"] == "lab"


def test_the_projects_values_are_the_weakest(lab: Path) -> None:
    (lab / "group_vars/all/policy.yml").write_text("zone_policy: {dmz: {may_call: []}}\n", encoding="utf-8")
    assert load_inventory([lab]).site_variables()["zone_policy"] == {"dmz": {"may_call": []}}


def test_a_later_source_wins(lab: Path, tmp_path: Path) -> None:
    over = tmp_path / "over.yml"
    over.write_text('all: {vars: {lab_prefix: "10.99"}}\n', encoding="utf-8")
    inventory = load_inventory([lab, over])
    assert inventory.hosts["app1"].variables["ansible_host"] == "10.99.20.11"


def test_secrets_are_decrypted(lab: Path) -> None:
    assert load_inventory([lab]).site_variables()["vault_jwt_secret"] == "secret of jwt_secret"


def test_a_plays_inventory_is_read_once(lab: Path) -> None:
    secrets = [("default", VaultSecret(b"of nothing"))]
    (lab / "group_vars/all/vault.yml").unlink()
    first = load_inventory([lab], secrets)
    assert load_inventory([lab], secrets) is first
    assert load_inventory([lab], list(secrets)) is not first
    assert load_inventory([lab]) is not load_inventory([lab])


def test_definitions_say_where_a_variable_is_set(lab: Path) -> None:
    found = {definition.name: definition for definition in load_inventory([lab]).definitions}
    assert found["site_name"].owner == "group all"
    assert found["site_name"].origin == f"{lab}/group_vars/all/site.yml:2"
    assert found["ansible_host"].owner.startswith("host ")
    assert "services" not in found, "the project's own variables are no definitions of the site"


def test_an_undefined_variable_in_a_value(lab: Path, edit: Edit) -> None:
    edit("group_vars/all/site.yml", "domain: lab.rackwright.internal", 'domain: "{{ nowhere }}.example"')
    with pytest.raises(RackwrightError, match=r"domain of host edge1 cannot be templated: .*nowhere"):
        load_inventory([lab]).site_variables()["domain"]


def test_a_wrong_vault_password(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("another", encoding="utf-8")
    with pytest.raises(RackwrightError, match="cannot be read") as caught:
        load_inventory([lab])
    assert "rackwright secrets init" in str(caught.value.hint)


def test_a_source_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError, match="nowhere: not there"):
        load_inventory([tmp_path / "nowhere"])


def test_a_source_that_is_no_inventory(lab: Path) -> None:
    (lab / "hosts.yml").write_text("all: {hosts: [", encoding="utf-8")
    with pytest.raises(RackwrightError, match="cannot be read"):
        load_inventory([lab])


def test_the_certificate_authority_is_no_source(lab: Path) -> None:
    (lab / "pki").mkdir()
    (lab / "pki/ca.pem").write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    assert len(load_inventory([lab]).hosts) == 5


def test_load_site(lab: Path) -> None:
    site = load_site([lab])
    assert site.hosts["data1"].zone == "data"
    assert site.outside["outside1"].address == "10.77.50.11"
    assert [host.name for host in site.hosts_of("redis")] == ["data1"]


def test_a_site_without_hosts(lab: Path) -> None:
    (lab / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
    with pytest.raises(RackwrightError, match="no host in the group `platform`"):
        load_site([lab])


def test_plain_reaches_all_the_way_down() -> None:
    class Text(str):
        __slots__ = ()

    value = {Text("a"): [Text("b"), {"c": (Text("d"), 1, 2.5, True, None)}]}
    result = plain(value)
    assert result == {"a": ["b", {"c": ["d", 1, 2.5, True, None]}]}
    assert type(next(iter(result))) is str
    assert type(result["a"][1]["c"][0]) is str
    assert result["a"][1]["c"][3] is True
