from collections.abc import Callable
from typing import Any

import pytest

from rackwright.catalogue.findings import FindingsError
from rackwright.catalogue.health import HttpHealth
from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.model import Exported, PostgresqlState

Services = dict[str, Any]


def test_the_projects_catalogue_is_sound(services: Services, zone_policy: Services) -> None:
    catalogue = load_catalogue(services, zone_policy)
    assert list(catalogue.services) == list(services)
    postgresql = catalogue.services["postgresql"]
    assert postgresql.ports["sql"].port == 5432
    assert postgresql.state == PostgresqlState(kind="postgresql", databases=("ai_platform",))
    assert postgresql.metrics == Exported(exporter="postgres_exporter")
    assert catalogue.told_of_by["postgres_exporter"] == ("postgresql",)
    assert isinstance(catalogue.services["nginx"].health, HttpHealth)
    assert catalogue.zone_policy["dmz"].reached_from_outside


def set_port(value: object) -> Callable[[Services], None]:
    return lambda services: services["redis"]["ports"]["tls"].__setitem__("port", value)


def set_key(service: str, key: str, value: object) -> Callable[[Services], None]:
    return lambda services: services[service].__setitem__(key, value)


BAD = [
    (
        set_port("6379"),
        "services.redis.ports.tls.port",
        "'6379'",
        "it must be a whole number",
        "without quotes",
    ),
    (set_port(0), "services.redis.ports.tls.port", "0", "greater than or equal to 1", "docs/catalogue.md"),
    (set_port(65536), "services.redis.ports.tls.port", "65536", "less than or equal to 65535", ""),
    (set_key("redis", "titel", "x"), "services.redis.titel", "x", "nothing reads a key", "`titel` is no key"),
    (
        lambda s: s["redis"].pop("state"),
        "services.redis.state",
        "(absent)",
        "it must be set",
        "add `state`",
    ),
    (
        set_key("redis", "state", {"kind": "redis", "directory": "var/lib/redis"}),
        "services.redis.state.directory",
        "var/lib/redis",
        "pattern",
        "",
    ),
    (
        set_key("redis", "state", {"kind": "files", "paths": [], "stop": "none"}),
        "services.redis.state.paths",
        "[]",
        "at least 1 item",
        "",
    ),
    (
        set_key("redis", "state", {"kind": "files", "paths": ["/srv"], "stop": "redis"}),
        "services.redis.state.stop",
        "redis",
        "pattern",
        "",
    ),
    (
        set_key("redis", "state", {"kind": "qdrant", "port": "rest"}),
        "services.redis.state.port",
        "rest",
        "must name one of the service's ports",
        "tls",
    ),
    (
        set_key("redis", "health", {"kind": "https", "port": "tls"}),
        "services.redis.health.path",
        "(absent)",
        "it must be set",
        "add `path`",
    ),
    (
        set_key("redis", "health", {"kind": "telepathy"}),
        "services.redis.health",
        "telepathy",
        "does not match any of the expected tags",
        "",
    ),
    (
        lambda s: s["redis"]["ports"]["tls"].__setitem__("callers", ["service:app", "everybody"]),
        "services.redis.ports.tls.callers.1",
        "everybody",
        "pattern",
        "",
    ),
    (
        lambda s: s["redis"]["ports"]["tls"].__setitem__("callers", ["service:ap"]),
        "services.redis.ports.tls.callers",
        "service:ap",
        "it must name a service of the catalogue",
        "sshd",
    ),
    (
        lambda s: s["redis"]["health"].__setitem__("port", "plain"),
        "services.redis.health.port",
        "plain",
        "one of the service's ports",
        "tls",
    ),
    (
        lambda s: s["app"]["metrics"].__setitem__("port", "metric"),
        "services.app.metrics.port",
        "metric",
        "one of the service's ports",
        "api, metrics",
    ),
    (
        lambda s: s["app"]["ports"]["metrics"].__setitem__("port", 3001),
        "services.app.ports.metrics.port",
        "3001",
        "`api` has this port already",
        "another number",
    ),
    (
        lambda s: s["redis"].pop("certificate"),
        "services.redis.ports.tls.tls",
        "true",
        "needs a certificate",
        "add `certificate",
    ),
    (
        lambda s: s["redis"]["ports"]["tls"].__setitem__("container_port", 1),
        "services.redis.ports.tls.container_port",
        "1",
        "only a container",
        "container: <name>",
    ),
    (
        set_key("redis", "container", "redis"),
        "services.redis.unit",
        "redis-server.service",
        "a systemd unit or a container",
        "",
    ),
    (
        lambda s: s["app"]["health"].__setitem__("kind", "http"),
        "services.app.health.kind",
        "http",
        "has tls: true",
        "kind: https",
    ),
]


@pytest.mark.parametrize(("change", "variable", "value", "rule", "hint"), BAD, ids=[case[1] for case in BAD])
def test_bad_catalogue(
    services: Services,
    zone_policy: Services,
    change: Callable[[Services], object],
    variable: str,
    value: str,
    rule: str,
    hint: str,
) -> None:
    change(services)
    with pytest.raises(FindingsError) as caught:
        load_catalogue(services, zone_policy)
    assert [finding.variable for finding in caught.value.findings] == [variable]
    finding = caught.value.findings[0]
    assert value in finding.value
    assert rule in finding.rule
    assert hint in finding.hint
    assert finding.hint


def test_all_findings_at_once(services: Services, zone_policy: Services) -> None:
    services["redis"]["ports"]["tls"]["port"] = "x"
    services["app"].pop("logs")
    zone_policy["dmz"]["may_cal"] = ["app"]
    with pytest.raises(FindingsError) as caught:
        load_catalogue(services, zone_policy)
    assert {finding.variable for finding in caught.value.findings} == {
        "services.app.logs",
        "services.redis.ports.tls.port",
        "zone_policy.dmz.may_cal",
    }
    assert "3 findings" in caught.value.message


def test_a_policy_names_zones_of_its_own(services: Services, zone_policy: Services) -> None:
    zone_policy["app"]["may_call"] = ["daat"]
    with pytest.raises(FindingsError, match=r"zone_policy\.app\.may_call = daat"):
        load_catalogue(services, zone_policy)
