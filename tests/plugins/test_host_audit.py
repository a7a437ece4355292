"""host_audit: which units it assesses; systemd is played by two programs that say what it would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import pytest

Value: TypeAlias = Any
# The loaded units, by the pattern that is asked for.
SYSTEMCTL = """#!/bin/sh
for pattern; do :; done
case "$pattern" in
  'rackwright-*.service') echo 'rackwright-app.service loaded active running The app'
                          echo 'rackwright-gone.service not-found inactive dead rackwright-gone.service' ;;
  'ledger@*.service') echo 'ledger@17-main.service loaded active running A ledger' ;;
esac
"""
ANALYZE = """#!/bin/sh
for name; do :; done
case "$name" in
  rackwright-app.service) level=1.1 ;; plain.service) level=2.0 ;;
  ledger@17-main.service) level=9.6 ;;
  *) exit 1 ;;
esac
echo "→ Overall exposure level for $name: $level OK :-)"
"""


@pytest.fixture
def looked_at(tmp_path: Path, load: Value, monkeypatch: pytest.MonkeyPatch) -> Value:
    for name, text in (("systemctl", SYSTEMCTL), ("systemd-analyze", ANALYZE)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    code = load("modules", "host_audit")

    class Module:
        def get_bin_path(self, name: str) -> str | None:
            return str(tmp_path / name) if (tmp_path / name).exists() else None

        def run_command(self, command: list[str], **_: Value) -> tuple[int, str, str]:
            import subprocess  # noqa: PLC0415

            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr

    return code.Looker(Module())


def test_instances_stand_for_what_stands_for_them_and_ours_are_all_there(looked_at: Value) -> None:
    found = looked_at.units(["plain.service", "ledger.service", "rackwright-app.service"])
    assert found == {"rackwright-app.service": 1.1, "plain.service": 2.0, "ledger@17-main.service": 9.6}


def test_what_systemd_cannot_judge_is_none(looked_at: Value) -> None:
    assert looked_at.units(["odd.service"]) == {"rackwright-app.service": 1.1, "odd.service": None}


def test_a_private_key_is_known_by_its_content_whatever_its_name(load: Value, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for name, text in (
        ("edge.pem", "-----BEGIN EC PRIVATE KEY-----"),
        ("ca.pem", "-----BEGIN CERTIFICATE-----"),
    ):
        (tmp_path / "kept" / name).write_text(f"{text}\n", encoding="utf-8")
    found = load("modules", "host_audit").rights.of_files([str(tmp_path / "kept"), str(tmp_path / "nowhere")])
    assert {Path(entry["path"]).name: entry["private"] for entry in found} == {
        "ca.pem": False,
        "edge.pem": True,
    }
