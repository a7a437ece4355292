"""What happens to the rules by hand, by a mistake or by a restart."""

import time

from conftest import other_than_declared
from machines import Machines


def reached(machines: Machines, host: str, port: int) -> bool:
    target = (machines.addresses[host], port)
    return machines.probe(["outside1"], [target])["outside1"][target] == "open"


def test_a_port_opened_by_hand_is_found_and_closed(machines: Machines, opened_by_hand: int) -> None:
    assert reached(machines, "data1", opened_by_hand)
    code, output = machines.apply("data1")
    assert code == 0, output
    assert "changed=1" in output
    assert not reached(machines, "data1", opened_by_hand)
    assert "changed=0" in machines.apply("data1")[1]


def test_a_flushed_ruleset_is_put_back(machines: Machines) -> None:
    before = machines.table("ops1")
    machines.inside("ops1", "nft flush ruleset")
    assert reached(machines, "ops1", 5432)
    code, output = machines.apply("ops1")
    assert code == 0, output
    assert "changed=1" in output
    assert machines.table("ops1") == before
    assert other_than_declared(machines, "ops1") == {}


def test_other_tables_are_left_alone(machines: Machines) -> None:
    machines.inside("ops1", "nft add table inet somebody_else")
    # A change, so that the whole way is gone.
    machines.inside("ops1", "nft delete table inet rackwright")
    assert machines.apply("ops1")[0] == 0
    tables = machines.inside("ops1", "nft list tables")
    machines.inside("ops1", "nft delete table inet somebody_else")
    assert "inet somebody_else" in tables
    assert "inet rackwright" in tables


def test_a_host_that_is_locked_out_takes_the_rules_back(machines: Machines) -> None:
    before = machines.table("ops1")
    code, output = machines.apply("ops1", management_sources=["192.0.2.1/32"], firewall_rollback_seconds=20)
    assert code != 0
    assert "taken" in output
    assert "management_sources" in output
    assert machines.table("ops1") == before
    assert machines.inside("ops1", "grep -c 192.0.2.1 /etc/rackwright/firewall.nft", check=False) == "0"
    # And the control node is back in, with nothing left to do.
    code, output = machines.apply("ops1")
    assert code == 0, output
    assert "changed=0" in output


def test_rules_that_nft_refuses_change_nothing(machines: Machines) -> None:
    before = machines.table("ops1")
    code, output = machines.apply("ops1", firewall_log_rate="5/fortnight")
    assert code != 0
    assert "nft refuses the rules, nothing was changed" in output
    assert machines.table("ops1") == before


def test_input_that_locks_everybody_out_never_reaches_a_host(machines: Machines) -> None:
    code, output = machines.apply("ops1", management_sources=[])
    assert code != 0
    assert "management_sources" in output
    assert "in force" not in output


def test_the_rules_are_there_after_a_restart(machines: Machines) -> None:
    before = machines.table("data1")
    machines.inside("data1", "systemctl reboot", check=False)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(1)
        if machines.inside("data1", "systemctl is-active ssh.service", check=False) == "active":
            break
    assert machines.table("data1") == before
    assert machines.inside("data1", "systemctl is-active rackwright-firewall.service") == "active"
    machines.listen("data1")
    assert other_than_declared(machines, "data1") == {}
    assert "changed=0" in machines.apply("data1")[1]
