"""The module firewall on a host: what it changes, what it finds, and the way back.

`nft`, `systemctl` and `systemd-run` are stood in for by scripts that keep one table and one timer in files;
that the real ones do as these is what molecule's scenario `firewall` shows.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import systemd

Result: TypeAlias = dict[str, Any]

RULES = "table inet rackwright\ndelete table inet rackwright\ntable inet rackwright { first }\n"
OTHER = RULES.replace("first", "second")
UNIT = "[Service]\nExecStart=/usr/sbin/nft -f /etc/rackwright/firewall.nft\n"

# Listing a table gives what was loaded last, less the two lines that replace it.
NFT = r"""#!/bin/sh
case "$*" in
    "-s list table inet rackwright") exec cat "$FAKE/table" 2>/dev/null ;;
    "-c -f -") if grep -q nonsense; then echo "syntax error" >&2; exit 1; fi ;;
    "-f "*) grep -v -e '^table inet rackwright$' -e '^delete' "$2" > "$FAKE/new"
        if [ -s "$FAKE/new" ]; then mv "$FAKE/new" "$FAKE/table"; else rm -f "$FAKE/new" "$FAKE/table"; fi ;;
    *) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""
SYSTEMCTL = r"""#!/bin/sh
echo "$*" >> "$FAKE/log"
case "$*" in
    "is-active --quiet rackwright-firewall-rollback.timer") [ -e "$FAKE/timer" ] ;;
    "stop rackwright-firewall-rollback.timer") rm -f "$FAKE/timer" ;;
    "--quiet enable -- "*)
        mkdir -p "$FAKE/wants"; ln -sf x "$FAKE/wants/rackwright-firewall.service" ;;
esac
"""
SYSTEMD_RUN = r"""#!/bin/sh
[ -e "$FAKE/unwilling" ] && { echo "no systemd here" >&2; exit 1; }
[ -e "$FAKE/timer" ] && { echo "the name is taken" >&2; exit 1; }
for argument; do last=$argument; done
echo "$last" > "$FAKE/timer"
"""


class Host:
    """A host of scripts and files."""

    def __init__(self, root: Path, run_module: Callable[..., Result]) -> None:
        self.root = root
        self._run = run_module

    def run(self, ruleset: str = RULES, *, check: bool = False, **more: str) -> Result:
        return self._run("firewall", {"ruleset": ruleset, "unit": UNIT, **more}, check=check, diff=True)

    def apply(self, ruleset: str = RULES) -> Result:
        result = self.run(ruleset)
        if "pending" in result:
            confirmed = self.run(ruleset, phase="confirm", token=result["pending"])
            assert not confirmed["failed"], confirmed
        return result

    @property
    def table(self) -> str | None:
        path = self.root / "table"
        return path.read_text() if path.exists() else None

    @table.setter
    def table(self, text: str | None) -> None:
        path = self.root / "table"
        path.unlink() if text is None else path.write_text(text)

    @property
    def armed(self) -> bool:
        return (self.root / "timer").exists()

    def time_passes(self) -> None:
        """The timer fires, if one runs."""
        if self.armed:
            way_back = (self.root / "timer").read_text().strip()
            subprocess.run(["nft", "-f", way_back], check=True)
            (self.root / "timer").unlink()

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.root)): path.read_text() if path.is_file() else "link"
            for path in sorted(self.root.rglob("*"))
            if (path.is_file() or path.is_symlink()) and path.parent.name != "bin" and path.name != "log"
        }


@pytest.fixture
def host(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    load: Callable[[str, str], ModuleType],
    run_module: Callable[..., Result],
) -> Host:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("nft", NFT), ("systemctl", SYSTEMCTL), ("systemd-run", SYSTEMD_RUN)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(tmp_path))
    module = load("modules", "firewall")
    monkeypatch.setattr(systemd, "daemon_reload_later", lambda: None)
    for name, path in (
        ("RULES", "etc/firewall.nft"),
        ("UNIT", "etc/unit"),
        ("WANTED", "wants/rackwright-firewall.service"),
        ("APPLIED", "state/firewall.applied"),
        ("PENDING", "state/firewall.pending"),
    ):
        monkeypatch.setattr(module, name, tmp_path / path)
    return Host(tmp_path, run_module)


def test_a_confirmed_change_lasts_and_a_second_run_changes_nothing(host: Host) -> None:
    first = host.apply()
    assert first["changed"]
    assert host.table == "table inet rackwright { first }\n"
    assert not host.armed
    assert host.files()["etc/firewall.nft"] == RULES
    assert not (host.root / "state/firewall.pending").exists()
    before = host.files()
    second = host.run()
    assert (second["changed"], second["reasons"]) == (False, [])
    assert host.files() == before


def test_the_boot_file_stays_the_confirmed_one_until_the_confirmation(host: Host) -> None:
    host.apply()
    pending = host.run(OTHER)
    assert host.table == "table inet rackwright { second }\n"
    assert host.files()["etc/firewall.nft"] == RULES
    host.run(OTHER, phase="confirm", token=pending["pending"])
    assert host.files()["etc/firewall.nft"] == OTHER


@pytest.mark.parametrize("previous", [None, RULES])
def test_without_a_confirmation_the_host_goes_back(host: Host, previous: str | None) -> None:
    if previous:
        host.apply(previous)
    before = host.table
    pending = host.run(OTHER)
    assert host.armed
    assert host.run(phase="status")["rolled_back"] is False
    host.time_passes()
    assert host.table == before
    assert host.run(phase="status")["rolled_back"] is True
    late = host.run(OTHER, phase="confirm", token=pending["pending"])
    assert late["failed"]
    assert late["rolled_back"]
    assert host.files().get("etc/firewall.nft") == previous
    # And what was in force before is still all that is wanted.
    if previous:
        assert not host.run(previous)["changed"]


def test_a_second_attempt_within_the_time_keeps_the_first_way_back(host: Host) -> None:
    host.apply()
    confirmed = host.table
    host.run(OTHER)
    third = RULES.replace("first", "third")
    host.run(third)
    assert host.table == "table inet rackwright { third }\n"
    host.time_passes()
    assert host.table == confirmed


def test_an_old_confirmation_does_not_confirm_a_new_change(host: Host) -> None:
    old = host.run(RULES)["pending"]
    host.run(OTHER)
    assert host.run(OTHER, phase="confirm", token=old)["failed"]
    assert "etc/firewall.nft" not in host.files()


@pytest.mark.parametrize(
    ("by_hand", "reason"),
    [(None, "the table is not loaded"), ("table inet rackwright { open }\n", "changed by hand")],
)
def test_what_was_done_by_hand_is_found_and_repaired(host: Host, by_hand: str | None, reason: str) -> None:
    host.apply()
    wanted = host.table
    host.table = by_hand
    result = host.apply()
    assert result["changed"]
    assert reason in result["reasons"][0]
    assert result["diff"] == {
        "before": by_hand or "",
        "after": wanted,
        "before_header": str(host.root / "etc/firewall.nft"),
        "after_header": str(host.root / "etc/firewall.nft"),
    }
    assert host.table == wanted


def test_rules_that_nft_refuses_are_not_loaded(host: Host) -> None:
    host.apply()
    before = host.files()
    for check in (True, False):
        result = host.run("nonsense", check=check)
        assert result["failed"]
        assert "nothing was changed: syntax error" in result["msg"]
        assert host.files() == before


def test_no_way_back_means_no_change(host: Host) -> None:
    host.apply()
    table = host.table
    (host.root / "unwilling").touch()
    result = host.run(OTHER)
    assert result["failed"]
    assert "the way back could not be armed, nothing was changed" in result["msg"]
    assert host.table == table


def test_check_mode_says_what_a_run_does_and_does_nothing(host: Host) -> None:
    for prepare in (dict, host.apply, lambda: host.apply(OTHER)):
        prepare()
        before = host.files()
        foretold = host.run(check=True)
        assert host.files() == before
        assert foretold["changed"] == host.apply()["changed"]


def test_check_mode_of_a_fresh_host_says_what_the_packages_would_allow(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_: None)
    result = host.run(check=True)
    assert result["changed"]
    assert result["diff"]["after"] == RULES
    assert host.run()["failed"]


@pytest.mark.parametrize("gone", ["etc/unit", "wants/rackwright-firewall.service"])
def test_a_lost_boot_unit_comes_back_without_loading_the_rules_again(host: Host, gone: str) -> None:
    host.apply()
    (host.root / gone).unlink()
    result = host.run()
    assert result["changed"]
    assert "pending" not in result
    assert gone in host.files()
    assert not host.run()["changed"]
