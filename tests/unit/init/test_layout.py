"""Where hosts stand and what they run, by the size of the site."""

import ipaddress
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rackwright.catalogue.findings import FindingsError
from rackwright.catalogue.site import BACKED_UP, MONITORED, SHIPPED
from rackwright.init.answers import Answers, parse_answers
from rackwright.init.layout import BY_WISH, PLACES, PURPOSES, ZONES, lay_out
from rackwright.init.render import _project

Build = Callable[..., Answers]


def hosts(*lines: str) -> list[dict[str, str]]:
    found = []
    for line in lines:
        name, address, *zone = line.split()
        found.append({"name": name, "address": address} | ({"zone": zone[0]} if zone else {}))
    return found


LARGE = hosts(
    "edge1 10.1.10.1 dmz",
    "app1 10.1.20.1 app",
    "gpu1 10.1.20.2 app",
    "gpu2 10.1.20.3 app",
    "data1 10.1.30.1 data",
    "data2 10.1.30.2 data",
    "ops1 10.1.40.1 ops",
)


def test_every_group_of_the_catalogue_has_a_place() -> None:
    groups = {service["group"] for service in _project("services").values()} - {
        "platform",
        BACKED_UP,
        MONITORED,
        SHIPPED,
    }
    assert groups <= set(PLACES), "say in init/layout.py in which zone the group's hosts stand"
    assert set(PURPOSES) == set(PLACES)
    assert set(PLACES.values()) <= set(_project("zones", "zone_policy"))
    assert set(PLACES) >= BY_WISH


def test_a_small_site_has_everything_on_one_host(answers_of: Build) -> None:
    layout = lay_out(answers_of())
    (host,) = layout.hosts
    # One model server needs no route before it.
    assert (host.zone, set(host.groups)) == ("dmz", set(PLACES) - BY_WISH - {"model_route", "backup"})
    assert layout.zones == {"dmz": "10.20.0.0/24"}


def test_a_medium_site_has_a_primary_and_a_standby_that_watches_it(answers_of: Build) -> None:
    layout = lay_out(answers_of(size="medium", hosts=hosts("one 10.20.0.11", "two 10.20.0.12")))
    assert [host.zone for host in layout.hosts] == ["dmz", "ops"]
    assert layout.hosts[1].groups == ("container_hosts", "monitoring", "backup")
    assert layout.zones == {"dmz": "10.20.0.8/30", "ops": "10.20.0.12/30"}


def test_a_large_site_without_a_scan_serves_models_beside_the_first_app_host(answers_of: Build) -> None:
    layout = lay_out(answers_of(size="large", hosts=LARGE))
    runs = {host.answer.name: host.groups for host in layout.hosts}
    assert runs == {
        "edge1": ("edge",),
        "app1": ("app", "model_route"),
        "gpu1": ("container_hosts", "inference"),
        "gpu2": ("container_hosts", "inference"),
        "data1": ("postgresql", "redis"),
        "data2": (),
        "ops1": ("monitoring", "backup"),
    }


def test_models_go_to_the_hosts_with_a_gpu(answers_of: Build) -> None:
    layout = lay_out(answers_of(size="large", hosts=LARGE), frozenset({"app1"}))
    assert [host.answer.name for host in layout.members("inference")] == ["app1"]
    assert [host.answer.name for host in layout.members("app")] == ["gpu1", "gpu2"]


def test_one_host_for_app_and_models_runs_both(answers_of: Build) -> None:
    layout = lay_out(answers_of(size="lab", hosts=hosts("app1 10.1.20.1 app")))
    assert layout.hosts[0].groups == ("app", "container_hosts", "inference")


def test_groups_that_are_given_stay(answers_of: Build) -> None:
    given_groups = [{"name": "a", "address": "10.1.20.1", "zone": "app", "groups": ["redis", "app"]}]
    layout = lay_out(answers_of(size="lab", hosts=given_groups))
    assert layout.hosts[0].groups == ("app", "redis")


@pytest.mark.parametrize(
    ("changes", "variable", "rule"),
    [
        ({"size": "medium"}, "hosts", "has two hosts"),
        ({"hosts": hosts("a 10.0.0.1", "b 10.0.0.2")}, "hosts", "has one host"),
        ({"size": "large", "hosts": LARGE[:4]}, "hosts", "five hosts or more"),
        ({"size": "lab"}, "hosts.zone", "each host says its zone"),
        ({"hosts": hosts("a 10.0.0.1 lan")}, "hosts.zone", "no zone of this name"),
        ({"zones": {"lan": "10.0.0.0/24"}}, "zones.lan", "no zone of this name"),
        ({"size": "medium", "hosts": hosts("a 10.0.0.1", "a 10.0.0.2")}, "hosts.name", "has this name"),
        (
            {"size": "medium", "hosts": hosts("a fd00::1", "b fd00:0::1")},
            "hosts.address",
            "a has this address",
        ),
        (
            {"hosts": [{"name": "a", "address": "10.0.0.1", "groups": ["databases"]}]},
            "hosts.groups",
            "nothing runs",
        ),
        (
            {"size": "lab", "hosts": hosts("a 10.0.0.1 dmz", "b 10.0.0.2 app", "c 10.0.0.3 dmz")},
            "zones.dmz",
            "among those of other zones",
        ),
    ],
)
def test_what_cannot_be_laid_out_is_refused(
    answers_of: Build, changes: dict[str, object], variable: str, rule: str
) -> None:
    with pytest.raises(FindingsError) as caught:
        lay_out(answers_of(**changes))
    first = caught.value.findings[0]
    assert first.variable == variable
    assert rule in first.rule
    assert first.hint


places = st.dictionaries(st.integers(0, 2**11 - 1), st.sampled_from(ZONES), min_size=1, max_size=12)


# Time counts for nothing here: the machine may be busy with others.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(places, st.booleans())
def test_subnets_hold_their_hosts_and_no_others(found: dict[int, str], six: bool) -> None:
    first = int(ipaddress.ip_address("fd00::" if six else "10.0.0.0"))
    machines = [
        {"name": f"h{number}", "address": str(ipaddress.ip_address(first + offset)), "zone": zone}
        for number, (offset, zone) in enumerate(found.items())
    ]
    answers = parse_answers(
        {"size": "lab", "name": "x", "domain": "a.bc", "hosts": machines, "management": ["10.0.0.0/8"]}
    )
    try:
        layout = lay_out(answers)
    except FindingsError:
        # Zones whose addresses lie among each other: the operator says the subnets.
        assume(False)
    networks = {zone: ipaddress.ip_network(cidr) for zone, cidr in layout.zones.items()}
    for host in layout.hosts:
        address = ipaddress.ip_address(host.answer.address)
        assert [zone for zone, network in networks.items() if address in network] == [host.zone]
    assert not any(one.overlaps(other) for one, other in combinations(networks.values(), 2))
