from __future__ import annotations

from pathlib import Path

from rackwright.lab.kernel import WANTED_INSTANCES, ensure_inotify


def test_low_setting_is_raised_and_said(tmp_path: Path) -> None:
    setting = tmp_path / "max_user_instances"
    setting.write_text("128\n")
    assert "128 ->" in ensure_inotify(setting)
    assert int(setting.read_text()) == WANTED_INSTANCES
    assert ensure_inotify(setting) == ""


def test_higher_setting_stays(tmp_path: Path) -> None:
    setting = tmp_path / "max_user_instances"
    setting.write_text("65536\n")
    assert ensure_inotify(setting) == ""
    assert setting.read_text() == "65536\n"
