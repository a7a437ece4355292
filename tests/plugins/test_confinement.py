"""The module `confinement`: a kernel played by files, systemd by a program that says what it would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import pytest

Value: TypeAlias = Any
REDIS = {
    "service": "redis",
    "profile": "rackwright.redis",
    "path": "/etc/apparmor.d/rackwright.redis",
    "units": ["redis-server.service"],
    "mode": "enforce",
}
# Process 7 is Redis; what it runs under after a start is what the drop-in says.
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >> {root}/calls
case "$1" in
  show) echo MainPID=7 ;;
  try-restart) echo "{after}" > {root}/proc/7/attr/current ;;
esac
"""
PARSER = """#!/bin/sh
echo "apparmor_parser $*" >> {root}/calls
exit {status}
"""


class Kernel:
    """A host's AppArmor, below a directory."""

    def __init__(self, root: Path, load: Value) -> None:
        self.root, self.code = root, load("modules", "confinement").apparmor

    def be(
        self, *, profiles: str, process: str, after: str = "rackwright.redis (enforce)", status: int = 0
    ) -> None:
        for name, text in (
            ("sys/module/apparmor/parameters/enabled", "Y\n"),
            ("sys/kernel/security/apparmor/.load", ""),
            ("sys/kernel/security/apparmor/profiles", profiles),
            ("proc/7/attr/current", f"{process}\n"),
        ):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")
        for program, text in (("systemctl", SYSTEMCTL), ("apparmor_parser", PARSER)):
            path = self.root / "bin" / program
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.format(root=self.root, after=after, status=status), encoding="utf-8")
            path.chmod(0o755)

    def calls(self) -> list[str]:
        """The programs that changed something."""
        path = self.root / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line for line in lines if not line.startswith("systemctl show")]


@pytest.fixture
def kernel(tmp_path: Path, load: Value, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel(tmp_path, load)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    for name in ("lacking", "loaded"):
        whole = getattr(found.code, name)
        monkeypatch.setattr(found.code, name, lambda whole=whole: whole(tmp_path))
    of_process, unload = found.code.of_process, found.code.unload
    monkeypatch.setattr(found.code, "of_process", lambda pid, _root: of_process(pid, tmp_path))
    monkeypatch.setattr(found.code, "unload", lambda profile: unload(profile, tmp_path))
    return found


LOADED = "rackwright.redis (enforce)\ndocker-default (enforce)\n"


def test_what_is_as_it_should_be_is_left_alone(kernel: Kernel, run_module: Value) -> None:
    kernel.be(profiles=LOADED, process="rackwright.redis (enforce)")
    result = run_module("confinement", {"profiles": [REDIS]})
    assert (result["changed"], result["lacking"], kernel.calls()) == (False, "", [])


def test_what_runs_unconfined_is_started_anew(kernel: Kernel, run_module: Value) -> None:
    kernel.be(profiles=LOADED, process="unconfined")
    assert run_module("confinement", {"profiles": [REDIS]}, check=True)["restarted"] == [
        "redis-server.service"
    ]
    assert kernel.calls() == []
    result = run_module("confinement", {"profiles": [REDIS]})
    assert (result["changed"], result["restarted"]) == (True, ["redis-server.service"])
    assert kernel.calls() == ["systemctl daemon-reload", "systemctl try-restart -- redis-server.service"]
    assert run_module("confinement", {"profiles": [REDIS]})["changed"] is False


@pytest.mark.parametrize("profiles", ["", "rackwright.redis (complain)\n"])
def test_a_profile_that_is_not_loaded_so_is_loaded(kernel: Kernel, run_module: Value, profiles: str) -> None:
    kernel.be(profiles=profiles, process="rackwright.redis (complain)")
    result = run_module("confinement", {"profiles": [REDIS]})
    assert result["loaded"] == ["rackwright.redis"]
    assert kernel.calls() == ["apparmor_parser --replace --write-cache /etc/apparmor.d/rackwright.redis"]


def test_a_profile_that_cannot_be_loaded_and_a_unit_that_stays_out_of_it_are_told(
    kernel: Kernel, run_module: Value
) -> None:
    kernel.be(profiles="", process="unconfined", status=1)
    result = run_module("confinement", {"profiles": [REDIS]})
    assert result["failed"]
    assert "/etc/apparmor.d/rackwright.redis cannot be loaded" in result["msg"]
    kernel.be(profiles=LOADED, process="unconfined", after="unconfined")
    result = run_module("confinement", {"profiles": [REDIS]})
    assert result["failed"]
    assert "redis-server.service runs under unconfined still" in result["msg"]


def test_ours_that_is_wanted_no_more_is_unloaded_and_docker_s_never(
    kernel: Kernel, run_module: Value
) -> None:
    kernel.be(profiles=LOADED, process="rackwright.redis (enforce)")
    result = run_module("confinement", {"profiles": []})
    assert (result["changed"], result["unloaded"]) == (True, ["rackwright.redis"])
    assert (kernel.root / "sys/kernel/security/apparmor/.remove").read_text() == "rackwright.redis"


def test_a_kernel_without_it_changes_nothing_and_is_told(
    kernel: Kernel, load: Value, run_module: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        load("modules", "confinement").AnsibleModule, "warn", lambda _, text: told.append(text)
    )
    assert run_module("confinement", {"profiles": []})["changed"] is False
    assert told == []
    result = run_module("confinement", {"profiles": [REDIS]})
    assert (result["changed"], result["lacking"]) == (False, "its kernel has no AppArmor")
    assert "its kernel has no AppArmor" in told[0]
    kernel.be(profiles=LOADED, process="unconfined")
    (kernel.root / "sys/kernel/security/apparmor/.load").unlink()
    assert "a container" in run_module("confinement", {"profiles": [REDIS]})["lacking"]
    (kernel.root / "sys/module/apparmor/parameters/enabled").write_text("N\n")
    assert "switched off" in run_module("confinement", {"profiles": [REDIS]})["lacking"]
