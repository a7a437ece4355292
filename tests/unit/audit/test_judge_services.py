"""Tests of what services' own health says for an audit."""

from rackwright.audit.model import Audit, Item, data
from rackwright.audit.services import judge_services
from rackwright.operations.health import ServiceHealth
from rackwright.site.inventory import load_inventory
from rackwright.site.load import site_of
from rackwright.site.paths import repository_root


def answer(host: str, service: str, ok: bool, detail: str = "") -> ServiceHealth:
    """Return what a service answered."""
    return ServiceHealth(host, service, ok, detail, latency_ms=None, certificate_days=None)


def judged(*answers: ServiceHealth, away: dict[str, set[str]] | None = None) -> list[Item]:
    """Return what is found on a site of services that answer, and of hosts that do not."""
    placed = {host: set(services) for host, services in (away or {}).items()}
    for told in answers:
        placed.setdefault(told.host, set()).add(told.service)
    silent = [answer(host, "host", ok=False, detail="no route") for host in away or {}]
    return [*judge_services([*answers, *silent], placed)]


def state(items: list[Item], check: str) -> str:
    """Return how a check is in the report."""
    return Audit("lab", (), tuple(items)).status([check])


def test_a_failed_or_overdue_job_is_not_met() -> None:
    overdue = answer("ops1", "backup", ok=False, detail="backup of data1/redis is overdue")
    found = judged(overdue, answer("data1", "backup_store", ok=True, detail="1 job is well"))
    told = [(item.host, item.status, item.detail["en"]) for item in found if item.check == "backups"]
    assert told == [
        ("ops1", "fail", "backup: backup of data1/redis is overdue"),
        ("data1", "pass", "backup_store: 1 job is well"),
    ]
    assert state(found, "backups") == "fail"


def test_what_a_site_does_not_have_is_to_be_looked_at_and_no_pass() -> None:
    found = judged(answer("app1", "app", ok=True), answer("ops1", "prometheus", ok=True, detail="ready"))
    assert [state(found, check) for check in ("backups", "logs", "monitoring")] == ["warn", "warn", "pass"]


def test_a_host_that_is_away_makes_what_it_should_speak_for_not_met() -> None:
    found = judged(
        answer("data1", "backup_store", ok=True),
        answer("ops2", "prometheus", ok=True),
        away={"ops1": {"backup"}},
    )
    assert [state(found, check) for check in ("backups", "monitoring")] == ["fail", "pass"]
    assert "not asked: no route" in [item.detail["en"] for item in found]


def test_only_services_of_the_catalogue_speak() -> None:
    known = set(site_of(load_inventory([repository_root() / "inventories/lab"])).catalogue.services)
    for check, entry in data()["by_health"].items():
        assert check in data()["checks"]
        assert set(entry["services"]) <= known, check
