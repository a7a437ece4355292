"""Tests of what services' own health says for an audit."""

from rackwright.audit.model import data
from rackwright.audit.services import judge_services
from rackwright.operations.health import ServiceHealth
from rackwright.site.inventory import load_inventory
from rackwright.site.load import site_of
from rackwright.site.paths import repository_root


def answer(host: str, service: str, ok: bool, detail: str = "") -> ServiceHealth:
    """Return what a service answered."""
    return ServiceHealth(host, service, ok, detail, latency_ms=None, certificate_days=None)


def judged(*answers: ServiceHealth) -> dict[str, list[tuple[str, str, str]]]:
    """Return host, status and text of what is found, by check."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for item in judge_services(answers):
        found.setdefault(item.check, []).append((item.host, item.status, item.detail["en"]))
    return found


def test_a_failed_or_overdue_job_is_not_met() -> None:
    overdue = answer("ops1", "backup", ok=False, detail="backup of data1/redis is overdue")
    found = judged(overdue, answer("data1", "backup_store", ok=True, detail="1 job is well"))
    assert found["backups"] == [
        ("ops1", "fail", "backup: backup of data1/redis is overdue"),
        ("data1", "pass", "backup_store: 1 job is well"),
    ]


def test_what_a_site_does_not_have_is_to_be_looked_at_and_no_pass() -> None:
    found = judged(answer("app1", "app", ok=True), answer("ops1", "prometheus", ok=True, detail="ready"))
    assert [status for _, status, _ in found["backups"]] == ["warn"]
    assert [status for _, status, _ in found["logs"]] == ["warn"]
    assert found["monitoring"] == [("ops1", "pass", "prometheus: ready")]


def test_a_host_that_is_away_is_no_pass() -> None:
    found = judged(answer("ops1", "host", ok=False, detail="no route"))
    assert ("ops1", "none", "not asked: no route") in found["logs"]


def test_only_services_of_the_catalogue_speak() -> None:
    known = set(site_of(load_inventory([repository_root() / "inventories/lab"])).catalogue.services)
    for check, entry in data()["by_health"].items():
        assert check in data()["checks"]
        assert set(entry["services"]) <= known, check
