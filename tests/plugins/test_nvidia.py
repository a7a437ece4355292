"""The driver's modules: what is read of a host, what a build comes to, and the way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.rackwright import command, nvidia, nvidia_build, nvidia_transaction

Load: TypeAlias = Callable[[str, str], ModuleType]
DPKG = """\
nvidia-kernel-dkms\t535.261.03-1\tinstalled\thold
libcuda1\t535.261.03-1\tinstalled\thold
libnvidia-ml1\t535.261.03-1\thalf-configured\tinstall
firmware-nvidia-gsp\t535.261.03-1\tinstalled\tinstall
nvidia-smi\t535.261.03-1\tconfig-files\tdeinstall
nvidia-container-toolkit-base\t1.18.0-1\tinstalled\tinstall
libnvidia-container1\t1.18.0-1\tinstalled\tinstall
nvidia-cuda-toolkit\t12.4\tinstalled\tinstall
libcudart12\t12.4\tinstalled\tinstall
linux-modules-nvidia-580-server-open-6.8.0-90-generic\t1\tinstalled\tinstall
bash\t5\tinstalled\tinstall
"""


def test_the_drivers_packages_are_told_from_others() -> None:
    found = nvidia.driver_packages(DPKG)
    assert sorted(found) == [
        "firmware-nvidia-gsp",
        "libcuda1",
        "libnvidia-ml1",
        "linux-modules-nvidia-580-server-open-6.8.0-90-generic",
        "nvidia-kernel-dkms",
    ]
    assert found["libnvidia-ml1"]["state"] == "half-configured"
    assert found["libcuda1"]["want"] == "hold"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "nvidia-current/550.163.01, 6.12.107+deb13-amd64, x86_64: installed",
            ("nvidia-current", "550.163.01", "6.12.107+deb13-amd64", "installed"),
        ),
        (
            "nvidia, 580.95.05, 6.8.0-90-generic, x86_64: built",
            ("nvidia", "580.95.05", "6.8.0-90-generic", "built"),
        ),
        ("nvidia-current/550.163.01: added", None),
    ],
)
def test_dkms(line: str, expected: tuple[str, ...] | None) -> None:
    found = [tuple(entry.values()) for entry in nvidia.dkms_modules(line + "\n")]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("told", "flavour"),
    [
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build", "open"),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  Thu Jul 17", "proprietary"),
    ],
)
def test_the_loaded_module(tmp_path: Path, told: str, flavour: str) -> None:
    assert nvidia.loaded_module(tmp_path)["module"] == "none"
    (tmp_path / "sys/module/nouveau").mkdir(parents=True)
    assert nvidia.loaded_module(tmp_path)["module"] == "nouveau"
    (tmp_path / "sys/module/nvidia").mkdir()
    (tmp_path / "sys/module/nvidia/version").write_text("580.95.05\n")
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text(told)
    assert nvidia.loaded_module(tmp_path) == {"module": "nvidia", "version": "580.95.05", "flavour": flavour}


@pytest.mark.parametrize(
    ("content", "expected"), [(b"\x06\0\0\0\1", True), (b"\x06\0\0\0\0", False), (None, None)]
)
def test_secure_boot(tmp_path: Path, content: bytes | None, expected: bool | None) -> None:
    folder = tmp_path / "sys/firmware/efi/efivars"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(content)
    assert nvidia.secure_boot(tmp_path) is expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "sources.list",
            "deb [arch=amd64 signed-by=/k.gpg] http://a.internal/debian trixie main\n",
            {"uri": "http://a.internal/debian", "signed_by": "/k.gpg"},
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://b.internal/debian/\nSuites: trixie\nSigned-By: /k.pgp\n",
            {"uri": "http://b.internal/debian", "signed_by": "/k.pgp"},
        ),
        (
            "sources.list.d/rackwright-nvidia.sources",
            "Types: deb\nURIs: http://c/\n",
            {"uri": "", "signed_by": ""},
        ),
        (
            "sources.list",
            "deb http://security.internal/debian-security trixie-security main\n",
            {"uri": "", "signed_by": ""},
        ),
    ],
)
def test_the_hosts_own_archive(tmp_path: Path, name: str, text: str, expected: dict[str, str]) -> None:
    path = tmp_path / "etc/apt" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert nvidia.archive(tmp_path) == expected


def test_what_a_log_says_comes_first() -> None:
    log = "  CC [M] nv.o\nnv-pci.c:237:9: error: too few arguments to function 'pci_resize_resource'\n" * 2
    lines = nvidia_build.telling_lines(log + "make[1]: *** [Makefile] Error 2\n")
    assert "pci_resize_resource" in lines[0]
    flags = "NV_CONFTEST_CFLAGS=-std=gnu11 -Werror=date-time -Werror -Wno-error" + " -fx" * 500
    told = nvidia_build.telling_lines(f"{flags}\n{log}")
    assert told[0] == lines[0], "flags that speak of errors are none"
    assert nvidia_build.telling_lines("make[1]: *** [Makefile] Error 2\n") == [
        "make[1]: *** [Makefile] Error 2"
    ]
    assert nvidia_build.telling_lines("all is\nwell") == ["all is", "well"]


def test_the_candidate_of_apt() -> None:
    assert nvidia_build.candidate("x:\n  Installed: (none)\n  Candidate: 550.163.01-2\n") == "550.163.01-2"
    assert nvidia_build.candidate("x:\n  Candidate: (none)\n") == ""
    assert nvidia_build.candidate("") == ""


def test_verdicts_are_kept_for_one_package_kernel_and_compiler(tmp_path: Path) -> None:
    verdicts = nvidia_build.Verdicts(str(tmp_path / "builds"))
    assert verdicts.get("p", "1-4~bpo13+1", "6.12", "14.2") is None
    verdicts.put("p", "1-4~bpo13+1", "6.12", "14.2", {"ok": False, "lines": ["x"]})
    assert verdicts.get("p", "1-4~bpo13+1", "6.12", "14.2") == {"ok": False, "lines": ["x"]}
    assert verdicts.get("p", "1-4~bpo13+1", "6.12", "15.1") is None
    (path,) = (tmp_path / "builds").iterdir()
    path.write_text('{"ok"')
    assert verdicts.get("p", "1-4~bpo13+1", "6.12", "14.2") is None, "half a file is no verdict"


class Dpkg:
    """A host with dpkg and apt that fail where they are told to."""

    def __init__(self, packages: dict[str, str], brings: dict[str, str], *, fails: bool) -> None:
        self.packages = dict(packages)
        self.held: set[str] = set(packages)
        self.brings, self.fails = brings, fails
        self.half: set[str] = set()
        self.calls: list[list[str]] = []

    def run(self, argv: list[str], *_: object, **__: object) -> command.Outcome:
        self.calls.append(argv)
        rc, out = self._answer(argv)
        return command.Outcome(tuple(argv), rc, out, "")

    def _answer(self, argv: list[str]) -> tuple[int, str]:
        names = argv[argv.index("--") + 1 :] if "--" in argv else argv[2:]
        if argv[0] == "dpkg-query":
            lines = (
                f"{name}\t{version}\t{'half-configured' if name in self.half else 'installed'}\t"
                f"{'hold' if name in self.held else 'install'}\n"
                for name, version in self.packages.items()
            )
            return 0, "".join(lines)
        if argv[:2] == ["apt-mark", "unhold"]:
            self.held -= set(names)
        elif argv[:2] == ["apt-mark", "hold"]:
            self.held |= set(names)
        elif "remove" in argv:
            for name in names:
                self.packages.pop(name, None)
                self.half.discard(name)
        elif "install" in argv:
            return self._install(names)
        elif argv[:2] == ["dpkg", "--audit"]:
            return 0, "broken\n" if self.half else ""
        return 0, ""

    def _install(self, names: list[str]) -> tuple[int, str]:
        if any("=" in name for name in names):
            for name in names:
                base, _, version = name.partition("=")
                self.packages[base] = version
                self.half.discard(base)
            return 0, ""
        self.packages.update(self.brings)
        if self.fails:
            self.half = set(self.brings)
            return (
                100,
                "Error! Bad return status for module build (dkms)\nE: Sub-process returned an error code (1)",
            )
        return 0, ""


OLD = {"nvidia-kernel-dkms": "535.1-1", "libcuda1": "535.1-1"}
NEW = {"nvidia-kernel-dkms": "550.1-1", "libcuda1": "550.1-1", "nvidia-open-kernel-dkms": "550.1-1"}


@pytest.fixture
def install(
    load: Load, run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., dict[str, Any]]:
    def run(host: Dpkg, *names: str, check: bool = False) -> dict[str, Any]:
        monkeypatch.setattr(command, "run", host.run)
        module = load("modules", "nvidia_packages")
        (tmp_path / "var/lib/apt").mkdir(parents=True, exist_ok=True)
        apt = module.Apt
        monkeypatch.setattr(module, "Apt", lambda: apt(str(tmp_path)))
        return run_module("nvidia_packages", {"names": list(names)}, check=check)

    return run


def test_a_failed_transaction_leaves_the_old_driver_and_a_whole_database(
    install: Callable[..., dict[str, Any]],
) -> None:
    host = Dpkg(OLD, NEW, fails=True)
    result = install(host, "nvidia-open-kernel-dkms")
    assert result["failed"]
    assert host.packages == OLD
    assert host.half == set()
    assert host.held == set(OLD), "what was held before is held again"
    assert result["rolled_back"]["database"] is True
    assert "package database is whole" in result["msg"]


def test_what_cannot_be_brought_back_is_said(install: Callable[..., dict[str, Any]]) -> None:
    class Stubborn(Dpkg):
        def _install(self, names: list[str]) -> tuple[int, str]:
            if any("=" in name for name in names):
                return 100, "E: Version '535.1-1' for 'libcuda1' was not found"
            return super()._install(names)

    result = install(Stubborn(OLD, NEW, fails=True), "nvidia-open-kernel-dkms")
    assert result["failed"]
    assert "not everything could be brought back" in result["msg"]
    assert "dpkg --audit" in result["msg"]


def test_the_old_packages_are_kept_for_the_way_back(
    install: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """The archive has the new version alone by then; what was fetched before is installed from its files."""

    class Forgetful(Dpkg):
        def _answer(self, argv: list[str]) -> tuple[int, str]:
            if argv[0] == "sh":
                store = Path(argv[4])
                for name in argv[5:]:
                    (store / f"{name}.deb").write_text("")
                return 0, ""
            return super()._answer(argv)

        def _install(self, names: list[str]) -> tuple[int, str]:
            if all(name.endswith(".deb") for name in names):
                return super()._install([Path(name).stem for name in names])
            return (100, "not found") if any("=" in name for name in names) else super()._install(names)

    host = Forgetful(OLD, NEW, fails=True)
    result = install(host, "nvidia-open-kernel-dkms")
    assert host.packages == OLD
    assert result["rolled_back"]["database"] is True
    assert tmp_path.joinpath("var/lib/rackwright/nvidia/previous").is_dir()


def test_a_good_transaction_holds_everything_and_the_next_run_changes_nothing(
    install: Callable[..., dict[str, Any]],
) -> None:
    host = Dpkg({}, NEW, fails=False)
    first = install(host, *NEW)
    assert first["changed"]
    assert first["installed"] == sorted(NEW)
    assert host.held == set(NEW)
    host.calls.clear()
    second = install(host, *NEW)
    assert not second["changed"]
    assert [call for call in host.calls if "install" in call] == []


def test_check_mode_says_what_is_missing(install: Callable[..., dict[str, Any]]) -> None:
    host = Dpkg(OLD, NEW, fails=False)
    result = install(host, *NEW, check=True)
    assert (result["changed"], result["installed"]) == (True, ["nvidia-open-kernel-dkms"])
    assert host.packages == OLD


def test_the_log_is_read_before_the_way_back_takes_it_away(
    install: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    log = tmp_path / "dkms/nvidia-current-open/550/build/make.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "CONFTEST: x\nnv-pci.c:237:9: error: too few arguments to function 'pci_resize_resource'\n"
    )

    class Cleaning(Dpkg):
        def _answer(self, argv: list[str]) -> tuple[int, str]:
            if "remove" in argv:
                log.unlink(missing_ok=True)
            return super()._answer(argv)

        def _install(self, names: list[str]) -> tuple[int, str]:
            rc, out = super()._install(names)
            return rc, f"{out}\nConsult {log} for more information." if rc else out

    result = install(Cleaning(OLD, NEW, fails=True), "nvidia-open-kernel-dkms")
    assert "pci_resize_resource" in result["msg"]
    assert "CONFTEST" not in result["msg"]
    assert not log.exists()


def test_changes() -> None:
    before = {"a": {"version": "1"}, "b": {"version": "1"}}
    after = {"b": {"version": "2"}, "c": {"version": "1"}}
    assert nvidia_transaction.changes(before, after) == {"new": ["c"], "gone": ["a"], "other": ["b"]}


LGI = """\
+-------------------------------------------------------+
| GPU instances:                                        |
| GPU   Name             Profile  Instance   Placement  |
|                          ID       ID       Start:Size |
|=======================================================|
|   0  MIG 3g.40gb          9        1          0:4     |
+-------------------------------------------------------+
|   0  MIG 3g.40gb          9        2          4:4     |
+-------------------------------------------------------+
"""


def test_mig(load: Load) -> None:
    module = load("modules", "nvidia_mig")
    assert module.instances(LGI) == ["3g.40gb", "3g.40gb"]
    off = {"mode": "Disabled", "pending": "Disabled", "profiles": []}
    halves = {"mode": "Enabled", "pending": "Enabled", "profiles": ["3g.40gb", "3g.40gb"]}
    assert module.steps("0", halves, ["3g.40gb", "3g.40gb"]) == []
    assert module.steps("0", off, []) == []
    assert module.steps("0", off, ["7g.80gb"]) == [
        ["nvidia-smi", "-i", "0", "-mig", "1"],
        ["nvidia-smi", "mig", "-i", "0", "-cgi", "7g.80gb", "-C"],
    ]
    cleared = [["nvidia-smi", "mig", "-i", "0", "-dci"], ["nvidia-smi", "mig", "-i", "0", "-dgi"]]
    assert module.steps("0", halves, []) == [*cleared, ["nvidia-smi", "-i", "0", "-mig", "0"]]
    assert module.steps("0", halves, ["7g.80gb"])[:2] == cleared


def test_partitions_do_not_change_under_running_work(
    load: Load, run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], *_: object, **__: object) -> command.Outcome:
        calls.append(argv)
        out = {"--query-gpu=mig.mode.current,mig.mode.pending": "Disabled, Disabled\n"}
        text = next((value for key, value in out.items() if key in argv), "")
        if any("compute-apps" in part for part in argv):
            text = "4711, vllm\n"
        return command.Outcome(tuple(argv), 0, text, "")

    load("modules", "nvidia_mig")
    monkeypatch.setattr(command, "run", run)
    result = run_module("nvidia_mig", {"layout": [{"gpu": "0", "profiles": ["7g.80gb"]}]})
    assert result["failed"]
    assert "vllm (4711)" in result["msg"]
    assert [call for call in calls if "-mig" in call] == []


def test_the_module_for_builds_refuses_a_package_that_apt_does_not_know(
    load: Load, run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = load("modules", "nvidia_build")
    monkeypatch.setattr(command, "run", lambda argv, *_, **__: command.Outcome(tuple(argv), 0, "", ""))
    monkeypatch.setattr(module.Apt, "lists_stale", lambda *_: False)
    given = {"package": "nvidia-kernel-dkms", "kernel": "6.12", "directory": str(tmp_path)}
    result = run_module("nvidia_build", given)
    assert result["failed"]
    assert "apt knows no nvidia-kernel-dkms" in result["msg"]


def test_an_earlier_verdict_is_given_without_a_build(
    load: Load, run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = load("modules", "nvidia_build")

    def run(argv: list[str], *_: object, **__: object) -> command.Outcome:
        text = {"apt-cache": "  Candidate: 550-2\n", "gcc": "14.2.0\n"}.get(argv[0], "")
        return command.Outcome(tuple(argv), 0, text, "")

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(module.Apt, "lists_stale", lambda *_: False)
    path = tmp_path / "p_550-2_6.12_14.2.0.json"
    path.write_text(json.dumps({"ok": False, "lines": ["nv-pci.c: error"]}))
    result = run_module("nvidia_build", {"package": "p", "kernel": "6.12", "directory": str(tmp_path)})
    assert (result["known"], result["verdict"]["ok"]) == ("earlier", False)
