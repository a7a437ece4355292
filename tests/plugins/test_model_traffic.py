"""model_traffic: the rule that leads callers, and whose connections are waited for (molecule/inference)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ansible.module_utils.rackwright import traffic

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue\n"


def table(*rows: tuple[str, str, str]) -> str:
    return HEADER + "".join(
        f"   {number}: {local} {remote} {state} 00000000:00000000\n"
        for number, (local, remote, state) in enumerate(rows)
    )


def test_the_rule_ends_by_itself() -> None:
    text = traffic.ruleset("10.0.0.5", 8080, "172.18.0.3", 8081, 1800)
    assert "elements = { 8080 timeout 1800s }" in text
    assert text.count("ip daddr 10.0.0.5 tcp dport @moved counter dnat to 172.18.0.3:8081") == 2
    # Replaced as a whole; before Docker's rules, which are at -100.
    assert text.index("delete table") < text.index("priority -110")


@pytest.mark.skipif(shutil.which("unshare") is None or shutil.which("nft") is None, reason="nft is not here")
def test_the_kernel_takes_the_rule(tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    path.write_text(traffic.ruleset("10.0.0.5", 8080, "172.18.0.3", 8081, 1800))
    script = f"nft -f {path} && nft -f {path} && nft list table ip {traffic.table_of(8080)}"
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("no network namespaces here")
    assert done.returncode == 0, done.stderr
    assert "timeout 30m" in done.stdout


def test_connections_of_callers_are_counted(tmp_path: Path) -> None:
    net = tmp_path / "7/net"
    net.mkdir(parents=True)
    mine, caller, itself = "030012AC:1F90", "0B14580A:C350", "0100007F:9C40"
    net.joinpath("tcp").write_text(
        table(
            (mine, caller, "01"),
            (mine, caller, "06"),  # in TIME_WAIT
            ("0100007F:1F90", itself, "01"),  # a health check
            ("00000000:1F90", "00000000:0000", "0A"),  # it listens
            ("030012AC:C351", "0B14580A:1F90", "01"),  # it calls somebody else
        )
    )
    v4_in_v6 = "0000000000000000FFFF0000"
    net.joinpath("tcp6").write_text(
        table(
            (f"{v4_in_v6}{mine}", f"{v4_in_v6}{caller}", "01"),
            (f"{v4_in_v6}{mine}", f"{v4_in_v6}{itself}", "01"),
        )
    )
    assert traffic.connections(7, 8080, tmp_path) == 2
    assert traffic.connections(8, 8080, tmp_path) == 0
