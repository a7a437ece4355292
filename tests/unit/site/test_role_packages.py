"""What a role wants installed: the most specific entry, and what only machines get."""

from __future__ import annotations

import pytest

from rackwright.errors import RackwrightError
from rackwright.site.role_packages import for_system

DECLARED = {
    "default": {"install": ["ledger"], "machine": ["ledger-dkms"]},
    "debian-12": {"install": "ledger-legacy"},
    "ubuntu": {"unsupported": "run it on Debian"},
}
TRIXIE = ("debian-13", "debian", "default")


def test_the_most_specific_entry_counts() -> None:
    assert for_system("ledger", DECLARED, ("debian-12", "debian", "default"))["install"] == ["ledger-legacy"]


@pytest.mark.parametrize(("machine", "wanted"), [(True, ["ledger", "ledger-dkms"]), (False, ["ledger"])])
def test_a_container_gets_nothing_for_a_kernel(machine: bool, wanted: list[str]) -> None:
    assert for_system("ledger", DECLARED, TRIXIE, machine=machine)["install"] == wanted


def test_a_bundle_carries_what_any_host_may_need() -> None:
    assert "ledger-dkms" in for_system("ledger", DECLARED, TRIXIE)["install"]


def test_an_unknown_key_and_an_unsupported_system_are_told() -> None:
    with pytest.raises(RackwrightError, match="optional"):
        for_system("ledger", {"default": {"instal": []}}, TRIXIE)
    with pytest.raises(RackwrightError, match="run it on Debian"):
        for_system("ledger", DECLARED, ("ubuntu-24.04", "ubuntu", "default"))
