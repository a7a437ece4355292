"""What systemd is told of unit files: by programs that write down what they were told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.rackwright import systemd, unit_links
from ansible.module_utils.rackwright.package_install import Apt
from ansible.module_utils.rackwright.unit_plan import Unit, UnitError


class Programs:
    """The two programs, the files by which systemd shows that it runs and has a timer, and the record."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.record, self.bin, self.there = root / "told", root / "bin", {"/run/systemd/system"}
        self.bin.mkdir()
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        monkeypatch.setattr(Path, "is_dir", lambda path: str(path) in self.there)
        monkeypatch.setattr(Path, "exists", lambda path, **_: str(path) in self.there)
        self.answer("systemctl")
        self.answer("systemd-run")

    def answer(self, program: str, said: str = "", rc: int = 0) -> None:
        text = f'#!/bin/sh\necho "{program} $*" >>{self.record}\necho {said}\nexit {rc}\n'
        (self.bin / program).write_text(text)
        (self.bin / program).chmod(0o755)

    @property
    def told(self) -> list[str]:
        return self.record.read_text().splitlines() if os.path.lexists(self.record) else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    return Programs(tmp_path, monkeypatch)


TIMER = "/run/systemd/transient/rackwright-unit-files.timer"


def test_unit_files_are_read_a_minute_after_the_last_who_asked(programs: Programs) -> None:
    systemd.daemon_reload_later()
    assert len(programs.told) == 1
    assert "--unit=rackwright-unit-files" in programs.told[0]
    assert "--on-active=60" in programs.told[0]
    assert programs.told[0].endswith(" systemctl daemon-reload")
    programs.there.add(TIMER)
    systemd.daemon_reload_later()
    assert programs.told[1:] == ["systemctl restart -- rackwright-unit-files.timer"]


def test_what_cannot_be_put_off_is_done_at_once(programs: Programs) -> None:
    programs.answer("systemd-run", rc=1)
    systemd.daemon_reload_later()
    assert programs.told[1:] == ["systemctl daemon-reload"]
    programs.answer("systemctl", rc=1)
    with pytest.raises(UnitError, match="daemon-reload failed"):
        systemd.daemon_reload_later()


def test_without_systemd_there_is_nobody_to_tell(programs: Programs) -> None:
    programs.there.clear()
    systemd.daemon_reload_later()
    assert programs.told == []


def test_whether_a_unit_is_enabled_is_asked_of_its_links(programs: Programs) -> None:
    programs.answer("systemctl", "enabled")
    unit = Unit("a", {"Id": "a.service", "LoadState": "loaded", "UnitFileState": "disabled"})
    assert unit_links.as_on_disk(unit).get("UnitFileState") == "enabled"
    assert programs.told == ["systemctl is-enabled -- a.service"]
    unknown = Unit("b", {"LoadState": "not-found"})
    assert unit_links.as_on_disk(unknown) == unknown


def apt_that(silenced: bool, root: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    apt = Apt(str(root))
    monkeypatch.setattr(apt, "_system_stays", lambda: silenced)
    monkeypatch.setenv("PATH", f"{root / 'bin'}:{os.environ['PATH']}")
    return apt


def test_packages_that_replace_others_are_told_at_once_and_new_ones_later(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.answer("apt-get")
    apt = apt_that(True, tmp_path, monkeypatch)
    apt.install(["x"])
    apt.tell_systemd(replaced=True)
    assert programs.told[-1] == "systemctl daemon-reload"
    apt.tell_systemd(replaced=False)
    assert programs.told[-1].startswith("systemd-run ")
    # A host that systemd does not answer on is no failed installation.
    programs.answer("systemctl", rc=1)
    apt.tell_systemd(replaced=True)


def test_packages_whose_scripts_were_heard_have_told_it_themselves(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.answer("apt-get")
    apt = apt_that(False, tmp_path, monkeypatch)
    apt.install(["x"])
    apt.tell_systemd(replaced=True)
    assert [line.split()[0] for line in programs.told] == ["apt-get"]
