"""Every service is scraped, its logs are named, and an alert tells when it is away; or it says why not."""

import re
from pathlib import Path

import pytest
import yaml

from rackwright.alerts.docs import alerts_page
from rackwright.alerts.model import EVERY, Alert, project_alerts
from rackwright.catalogue.load import Catalogue, load_catalogue
from rackwright.catalogue.model import Exported, Metrics, Nothing
from rackwright.catalogue.site import MONITORED

ALERTS = [alert for alerts in project_alerts().values() for alert in alerts]
# Told by these of any service with a unit or a container, and of whatever is scraped.
GENERAL = {"ServiceDown", "TargetDown", "CertificateExpiresSoon"}


@pytest.fixture(scope="module")
def catalogue(root: Path) -> Catalogue:
    values: dict[str, object] = {}
    for name in ("services", "zones"):
        values |= yaml.safe_load((root / f"group_vars/all/{name}.yml").read_text(encoding="utf-8"))
    return load_catalogue(values["services"], values["zone_policy"])


def test_the_general_alerts_are_about_every_service() -> None:
    assert {alert.alert for alert in ALERTS if EVERY in alert.about} == GENERAL


def test_every_service_has_metrics_logs_and_an_alert_or_says_why_not(catalogue: Catalogue) -> None:
    watched = {name for alert in ALERTS for name in alert.about}
    for name, service in catalogue.services.items():
        # A unit or a container: ServiceDown sees it.
        assert service.unit or service.container or name in watched, f"{name}: no alert is about it"
        for key in ("metrics", "logs"):
            value = getattr(service, key)
            assert not isinstance(value, Nothing) or len(value.none.split()) > 2, f"{name}.{key}: say why"


def test_an_exporter_runs_where_hosts_are_watched(catalogue: Catalogue) -> None:
    for name, service in catalogue.services.items():
        if isinstance(service.metrics, Exported):
            exporter = catalogue.services[service.metrics.exporter]
            assert isinstance(exporter.metrics, Metrics), name
            # What tells of itself by a port of its own is there as long as itself.
            assert exporter.group in {MONITORED, "platform"} or exporter.unit == service.unit, name


def test_what_the_role_installs_is_what_the_catalogue_says(catalogue: Catalogue, root: Path) -> None:
    role = yaml.safe_load((root / "roles/exporters/vars/main.yml").read_text(encoding="utf-8"))
    wanted = {
        name: service.packages[0]
        for name, service in catalogue.services.items()
        if service.role == "exporters" and service.packages
    }
    assert role["__exporters_package"] == wanted
    assert set(role["__exporters_known"]) == set(wanted)
    for name, package in wanted.items():
        assert catalogue.services[name].unit == f"{package}.service"


@pytest.mark.parametrize("alert", ALERTS, ids=[alert.alert for alert in ALERTS])
def test_an_alert_is_on_the_page_with_a_runbook(alert: Alert, root: Path) -> None:
    page = alerts_page(root)
    section = page[page.index(f"### {alert.alert}\n") :]
    link = re.search(r"\]\((runbooks/[a-z-]+\.md)\)", section)
    assert link is not None
    assert (root / "docs" / link.group(1)).is_file()
