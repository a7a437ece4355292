"""Bad input through the real command: each finding has variable, value, rule and hint."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rackwright.cli.main import main
from rackwright.site.paths import repository_root

Edit = Callable[[str, str, str], None]
Found = list[dict[str, str]]
SITE, HOSTS = "group_vars/all/site.yml", "hosts.yml"


@pytest.fixture
def validate(lab: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], Found]:
    """Run `rackwright validate --json` on the copy; check its exit status and return the findings."""

    def run() -> Found:
        with pytest.raises(SystemExit) as caught:
            main(["validate", "--json", "-i", str(lab)])
        findings: Found = json.loads(capsys.readouterr().out)
        assert caught.value.code == (1 if findings else 0)
        return findings

    return run


def test_the_lab_is_sound(validate: Callable[[], Found]) -> None:
    assert validate() == []


def append(text: str) -> tuple[str, str, str]:
    return SITE, "site_name: lab\n", f"site_name: lab\n{text}\n"


# id -> edits, and for each finding: variable, value, rule, hint, where (parts of them)
BAD: dict[str, tuple[list[tuple[str, str, str]], list[tuple[str, str, str, str, str]]]] = {
    "unknown group": (
        [(HOSTS, "    redis: {hosts", "    reddis: {hosts")],
        [
            (
                "groups",
                "reddis",
                "knows this inventory group; it holds data1",
                "did you mean `redis`?",
                "group reddis",
            ),
            ("groups", "redis: (no host)", "app (app1) needs redis", "redis: {hosts", "group redis"),
        ],
    ),
    "unknown zone": (
        [(HOSTS, "    monitoring: {", "    zone_lan: {hosts: {}}\n    monitoring: {")],
        [("groups", "zone_lan", "knows this inventory group", "", "group zone_lan")],
    ),
    "host in no zone": (
        [
            (
                HOSTS,
                "    platform: {children",
                "    platform: {hosts: {app9: {ansible_host: 10.77.20.19}}, children",
            )
        ],
        [("groups", "(no zone)", "exactly one zone", "zone_dmz, zone_app", "host app9")],
    ),
    "host in two zones": (
        [(HOSTS, "zone_ops: {hosts: {", "zone_ops: {hosts: {app1: {}, ")],
        [("groups", "zone_app, zone_ops", "exactly one zone", "", "host app1")],
    ),
    "misspelt variable": (
        [append("package_porxy: http://10.77.40.254:3142")],
        [
            (
                "package_porxy",
                "(set)",
                "reads a variable of this name",
                "did you mean `package_proxy`?",
                "site.yml:3",
            )
        ],
    ),
    "misspelt required variable": (
        [(SITE, "management_sources:", "managment_sources:")],
        [
            ("management_sources", "(absent)", "it must be set", "add `management_sources`", ""),
            (
                "managment_sources",
                "(set)",
                "reads a variable",
                "did you mean `management_sources`?",
                "site.yml",
            ),
        ],
    ),
    "misspelt connection variable": (
        [append("ansible_usr: root")],
        [("ansible_usr", "(set)", "reads a variable", "did you mean `ansible_user`?", "site.yml:3")],
    ),
    "misspelt host variable": (
        [(HOSTS, "    redis: {hosts: {data1: {}}}", "    redis: {hosts: {data1: {host_cpu: 4}}}")],
        [("host_cpu", "(set)", "reads a variable", "did you mean `host_cpus`?", "hosts.yml")],
    ),
    "overlapping zones": (
        [(SITE, 'data: {cidr: "{{ lab_prefix }}.30.0/24"}', 'data: {cidr: "{{ lab_prefix }}.0.0/18"}')],
        [
            (
                "zones.dmz.cidr",
                "10.77.10.0/24",
                "overlaps zones.data.cidr (10.77.0.0/18)",
                "subnet of its own",
                "",
            ),
            ("zones.app.cidr", "10.77.20.0/24", "overlaps zones.data.cidr", "subnet of its own", ""),
            ("zones.data.cidr", "10.77.0.0/18", "overlaps zones.ops.cidr", "subnet of its own", ""),
        ],
    ),
    "subnet with host bits": (
        [(SITE, 'data: {cidr: "{{ lab_prefix }}.30.0/24"}', 'data: {cidr: "{{ lab_prefix }}.30.1/24"}')],
        [("zones.data.cidr", "10.77.30.1/24", "has host bits set", "docs/variables.md", "")],
    ),
    "subnet that is none": (
        [(SITE, 'data: {cidr: "{{ lab_prefix }}.30.0/24"}', 'data: {cidr: "fd00::/200"}')],
        [("zones.data.cidr", "fd00::/200", "IPv4 or IPv6 network", "", "")],
    ),
    "misspelt key in zones": (
        [(SITE, 'data: {cidr: "{{ lab_prefix }}.30.0/24"}', 'data: {cdir: "{{ lab_prefix }}.30.0/24"}')],
        [
            ("zones.data.cidr", "(absent)", "must be set", "add `cidr`", ""),
            ("zones.data.cdir", "10.77.30.0/24", "nothing reads a key", "`cdir` is no key here", ""),
        ],
    ),
    "zone that the policy does not know": (
        [(SITE, "zones:\n", 'zones:\n  lan: {cidr: "{{ lab_prefix }}.60.0/24"}\n')],
        [("zones.lan", "10.77.60.0/24", "zone_policy does not know", "dmz, app, data, ops", "")],
    ),
    "address outside its zone": (
        [
            (
                HOSTS,
                'data1: {ansible_host: "{{ lab_prefix }}.30.11"}',
                'data1: {ansible_host: "{{ lab_prefix }}.20.99"}',
            )
        ],
        [
            (
                "ansible_host",
                "10.77.20.99",
                "outside the subnet of the host's zone (zone_data",
                "correct",
                "host data1",
            )
        ],
    ),
    "address used twice": (
        [
            (
                HOSTS,
                'outside1: {ansible_host: "{{ lab_prefix }}.50.11"}',
                'outside1: {ansible_host: "{{ lab_prefix }}.20.11"}',
            )
        ],
        [("ansible_host", "10.77.20.11", "app1 has this address already", "own address", "host outside1")],
    ),
    "name for an address": (
        [(HOSTS, 'data1: {ansible_host: "{{ lab_prefix }}.30.11"}', "data1: {ansible_host: data1.example}")],
        [("ansible_host", "data1.example", "must be an address", "IPv4 or IPv6", "host data1")],
    ),
    "no address": (
        [(HOSTS, 'data1: {ansible_host: "{{ lab_prefix }}.30.11"}', "data1: {}")],
        [("ansible_host", "(absent)", "must be an address", "IPv4 or IPv6", "host data1")],
    ),
    "number in quotes": (
        [(SITE, "host_memory_mb: 2048", 'host_memory_mb: "2048"')],
        [("host_memory_mb", "'2048'", "must be a whole number", "without quotes", "")],
    ),
    "text for a list": (
        [append("dns_servers: 10.77.40.53")],
        [("dns_servers", "10.77.40.53", "must be a list", "docs/variables.md", "")],
    ),
    "nobody may administer": (
        [
            (SITE, "management_sources:\n", "management_sources: []\nmy_sources:\n"),
        ],
        [("management_sources", "[]", "at least 1 item", "", "")],
    ),
    "proxy by name": (
        [
            (
                SITE,
                'package_proxy: "http://{{ lab_prefix }}.40.254:3142"',
                "package_proxy: http://proxy.example:3142",
            )
        ],
        [("package_proxy", "http://proxy.example:3142", "with an address, not a name", "10.0.40.5:3142", "")],
    ),
    "undefined variable in a value": (
        [(SITE, "domain: lab.rackwright.internal", 'domain: "{{ base_domain }}"')],
        [("domain", "(unusable)", "base_domain", "define the variable", "")],
    ),
    "services that do not fit": (
        [(SITE, "host_memory_mb: 2048", "host_memory_mb: 500")],
        [
            ("host_memory_mb", "500", "too few", "host_memory_mb", "host app1"),
            ("host_memory_mb", "500", "too few", "host_memory_mb", "host data1"),
        ],
    ),
    "unpinned version": (
        [append('versions: {llama_cpp: {package: llama.cpp-tools, package_version: "latest"}}')],
        [("versions.llama_cpp.package_version", "latest", "exact: no `latest`", '"1.2.3"', "")],
    ),
    "empty platform": (
        [
            (
                HOSTS,
                "platform: {children: {zone_dmz: {}, zone_app: {}, zone_data: {}, zone_ops: {}}}",
                "platform: {}",
            )
        ],
        [("groups", "platform: (no host)", "needs a host", "zone_dmz", "inventories/lab")],
    ),
    "role option of another type": (
        [append("firewall_rollback_seconds: soon")],
        [("firewall_rollback_seconds", "soon", "cannot be converted to an int", "README", "host edge1")],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, edit: Edit, validate: Callable[[], Found]) -> None:
    edits, expected = BAD[case]
    for change in edits:
        edit(*change)
    findings = validate()
    assert [finding["variable"] for finding in findings] == [parts[0] for parts in expected]
    for finding, (_, value, rule, hint, where) in zip(findings, expected, strict=True):
        assert value in finding["value"]
        assert rule in finding["rule"]
        assert hint in finding["hint"]
        assert where in finding["where"]
        assert finding["hint"]


def catalogue() -> dict[str, dict[str, object]]:
    """The project's services, to be written into the site with a change."""
    text = (repository_root() / "group_vars/all/services.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text)["services"])


def write_catalogue(lab: Path, services: object) -> None:
    (lab / "group_vars/all/services.yml").write_text(yaml.safe_dump({"services": services}), encoding="utf-8")


def test_a_port_used_twice_on_one_host(lab: Path, validate: Callable[[], Found]) -> None:
    services = catalogue()
    services["redis"]["ports"] = {"tls": {"port": 5432, "callers": ["service:app"], "tls": True}}
    write_catalogue(lab, services)
    (finding,) = validate()
    assert finding["variable"] == "services.redis.ports.tls.port"
    assert finding["value"] == "5432"
    assert "services.postgresql.ports.sql has the same port" in finding["rule"]
    assert finding["where"] == "host data1"


def test_a_flow_against_the_policy(lab: Path, validate: Callable[[], Found]) -> None:
    services = catalogue()
    services["redis"]["ports"] = {"tls": {"port": 6379, "callers": ["service:nginx"], "tls": True}}
    write_catalogue(lab, services)
    (finding,) = validate()
    assert finding["variable"] == "services.redis.ports.tls.callers"
    assert "the zone dmz (edge1) may not call the zone data (data1:6379)" in finding["rule"]


def test_a_mistake_in_the_catalogue(lab: Path, validate: Callable[[], Found]) -> None:
    services = catalogue()
    services["redis"].pop("state")
    write_catalogue(lab, services)
    assert [(f["variable"], f["value"]) for f in validate()] == [("services.redis.state", "(absent)")]


def test_a_missing_vault(lab: Path, validate: Callable[[], Found]) -> None:
    (lab / "group_vars/all/vault.yml").unlink()
    (finding,) = validate()
    assert "vault_jwt_secret" in finding["variable"]
    assert "no vault" in finding["rule"]
    assert finding["hint"] == f"rackwright secrets init -i {lab}"


def test_a_secret_that_the_vault_lacks(lab: Path, validate: Callable[[], Found]) -> None:
    (lab / "group_vars/all/secrets.yml").write_text(
        "secrets: {jwt_secret: {length: 64, description: x, play: app}, new_one: {}}\n", encoding="utf-8"
    )
    found = validate()
    assert ("vault_new_one", "(absent)") in [(f["variable"], f["value"]) for f in found]
    assert all(
        f["hint"] == f"rackwright secrets init -i {lab}" for f in found if f["variable"] == "vault_new_one"
    )


@pytest.mark.usefixtures("lab")
def test_a_vault_that_cannot_be_opened(tmp_path: Path, validate: Callable[[], Found]) -> None:
    (tmp_path / "password").write_text("another", encoding="utf-8")
    (finding,) = validate()
    assert finding["variable"] == "inventory"
    assert "rackwright secrets init" in finding["hint"]


def test_a_secret_is_never_shown(
    lab: Path, vault_text: str, capsys: pytest.CaptureFixture[str], edit: Edit
) -> None:
    edit(SITE, "domain: lab.rackwright.internal", 'domain: "{{ vault_jwt_secret }}{{ nowhere }}"')
    with pytest.raises(SystemExit):
        main(["validate", "-i", str(lab)])
    captured = capsys.readouterr()
    assert "secret of" not in captured.out + captured.err
    assert vault_text[:40] not in captured.out + captured.err


def test_the_sites_own_helpers_are_left_alone(edit: Edit, validate: Callable[[], Found]) -> None:
    edit(SITE, "domain: lab.rackwright.internal", 'my_zone: rackwright.internal\ndomain: "lab.{{ my_zone }}"')
    assert validate() == []


def test_everything_at_once_in_a_table(lab: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    edit(HOSTS, "    redis: {hosts", "    reddis: {hosts")
    edit(SITE, "domain: lab", "domian: lab")
    edit(SITE, "host_cpus: 2", 'host_cpus: "2"')
    (lab / "group_vars/all/vault.yml").unlink()
    with pytest.raises(SystemExit) as caught:
        main(["validate", "-i", str(lab)])
    assert caught.value.code == 1
    text = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    for part in ("6 to mend", "reddis", "did you mean `redis`?", "domian", "'2'", "the site has no vault"):
        assert part in text
