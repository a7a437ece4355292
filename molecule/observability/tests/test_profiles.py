"""AppArmor profiles on hosts that can load none: whole, by the host's own parser, and in place."""

from __future__ import annotations

import pytest
from machines import Machines

ABI = "/etc/apparmor.d/abi/3.0"
# Warnings are errors, but for one: Debian 13's own abstractions are written for newer features as well.
CHECK = f"apparmor_parser -Q -K -T --warn=all --warn=no-abi --Werror --features-file {ABI}"


@pytest.mark.parametrize(
    ("host", "services"),
    [
        ("data1", {"redis", "redis_exporter", "postgres_exporter", "blackbox_exporter", "host_metrics"}),
        ("ops1", {"prometheus", "alertmanager", "alertmanager-relay", "blackbox_exporter", "host_metrics"}),
    ],
)
def test_every_service_with_a_profile_has_it(machines: Machines, host: str, services: set[str]) -> None:
    found = machines.inside(host, "ls /etc/apparmor.d | grep ^rackwright").split()
    assert {name.removeprefix("rackwright.") for name in found} == services
    for name in found:
        machines.inside(host, f"{CHECK} /etc/apparmor.d/{name}")


def test_units_name_their_profiles_and_run_all_the_same(machines: Machines) -> None:
    unit = machines.inside(
        "data1", "systemctl cat redis-server.service; systemctl is-active redis-server.service"
    )
    assert "\nAppArmorProfile=-rackwright.redis\n" in unit
    assert unit.split()[-1] == "active"
