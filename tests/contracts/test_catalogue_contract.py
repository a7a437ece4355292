"""The catalogue, the roles, the secrets and the plays name one another."""

import re
from pathlib import Path

import pytest
import yaml

from rackwright.catalogue.load import Catalogue, load_catalogue
from rackwright.catalogue.model import Caller, Metrics, Nothing, VectorsState


@pytest.fixture(scope="module")
def catalogue(root: Path) -> Catalogue:
    values: dict[str, object] = {}
    for name in ("services", "zones"):
        values |= yaml.safe_load((root / f"group_vars/all/{name}.yml").read_text(encoding="utf-8"))
    return load_catalogue(values["services"], values["zone_policy"])


def test_every_service_has_health_ports_logs_metrics_and_state_or_says_why_not(catalogue: Catalogue) -> None:
    # The loader refuses a service without one of the keys; here, that nothing was left empty.
    for name, service in catalogue.services.items():
        for key in ("metrics", "logs", "state"):
            value = getattr(service, key)
            assert value, f"{name}.{key} is empty: name them, or write none: <reason>"
            assert not isinstance(value, Nothing) or len(value.none.split()) > 2, f"{name}.{key}: say why"
        assert service.title
        assert service.health.kind


def test_every_service_has_its_role(catalogue: Catalogue, root: Path) -> None:
    missing = {
        service.role
        for service in catalogue.services.values()
        if not (root / "roles" / service.role / "tasks/main.yml").is_file()
    }
    assert missing == set()


def test_every_port_has_a_caller(catalogue: Catalogue) -> None:
    for name, service in catalogue.services.items():
        for port_name, port in service.ports.items():
            where = f"{name}.{port_name}"
            assert port.callers or port.loopback, f"{where}: a port that nobody may call need not listen"
            assert not (port.callers and port.loopback), f"{where}: nobody reaches the loopback"


def test_metrics_are_open_to_monitoring(catalogue: Catalogue) -> None:
    for name, service in catalogue.services.items():
        if isinstance(service.metrics, Metrics):
            callers = map(Caller.parse, service.ports[service.metrics.port].callers)
            assert Caller("group", "monitoring") in callers, f"{name} could not be scraped"


def test_container_services_publish_container_ports(catalogue: Catalogue) -> None:
    for name, service in catalogue.services.items():
        if service.container:
            for port_name, port in service.ports.items():
                # A door before it is a unit of the host.
                door = isinstance(service.state, VectorsState) and port_name == "api"
                assert door or port.container_port, f"{name}.{port_name}: the firewall needs the port inside"


def test_every_secret_is_used_by_a_play(root: Path) -> None:
    secrets = yaml.safe_load((root / "group_vars/all/secrets.yml").read_text(encoding="utf-8"))["secrets"]
    read = [*sorted((root / "playbooks").rglob("*.yml")), *sorted((root / "group_vars/all").glob("*.yml"))]
    lines = [line for path in read for line in path.read_text(encoding="utf-8").splitlines()]
    plays = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    used = set(re.findall(r"\bvault_([a-z0-9_]+)", plays))
    assert used == set(secrets), "a secret that no play uses, or one that no site would have"


def test_the_site_begins_with_preflight(root: Path) -> None:
    first = yaml.safe_load((root / "site.yml").read_text(encoding="utf-8"))[0]
    assert first["import_playbook"] == "playbooks/preflight.yml"


def test_the_projects_values_reach_the_plays(root: Path) -> None:
    """A root group_vars is not loaded for plays in playbooks/: the link is what does it."""
    link = root / "playbooks/group_vars"
    assert link.is_symlink()
    assert link.resolve() == root / "group_vars"
    assert (root / "group_vars/all/versions.yml").resolve() == root / "versions.yml"
