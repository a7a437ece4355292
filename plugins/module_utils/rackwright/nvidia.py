"""What a host says of its NVIDIA driver: modules, packages, DKMS, Secure Boot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command

# Packages of a driver, its libraries, its manager of NVSwitch; the container toolkit is none of them.
_DRIVER = re.compile(
    r"^(lib)?(nvidia|cuda-drivers|cuda1|firmware-nvidia|nvlink5|linux-modules-nvidia)|^libcuda1?"
)
_NOT_DRIVER = re.compile(r"container|^nvidia-cuda-(toolkit|dev)|^nvidia-detect|^libcudart")
_SECURE_BOOT = "efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_DKMS = re.compile(
    r"^(?P<module>[^,/]+)[/,]\s*(?P<version>[^,]+),\s*(?P<kernel>[^,]+),\s*\S+?:\s*(?P<state>\w+)"
)
_QUERY = "${Package}\\t${Version}\\t${db:Status-Status}\\t${db:Status-Want}\\n"


def is_driver_package(name: str) -> bool:
    """Whether a package belongs to the driver."""
    return bool(_DRIVER.match(name)) and not _NOT_DRIVER.search(name)


def driver_packages(answer: str) -> dict[str, dict[str, str]]:
    """Read dpkg-query's answer: the driver's packages that are there, with version, state and selection."""
    found = {}
    for line in answer.splitlines():
        name, _, rest = line.partition("\t")
        version, state, want = (*rest.split("\t"), "", "")[:3]
        if is_driver_package(name) and state not in {"", "not-installed", "config-files"}:
            found[name] = {"version": version, "state": state, "want": want}
    return found


def dkms_modules(answer: str) -> list[dict[str, str]]:
    """Read `dkms status`: module, version, kernel and state of each build."""
    found = []
    for line in answer.splitlines():
        match = _DKMS.match(line)
        if match:
            found.append({key: value.strip() for key, value in match.groupdict().items()})
    return found


def loaded_module(root: Path = Path("/")) -> dict[str, Any]:
    """Return which kernel module drives the GPUs: its name, version and flavour."""
    modules = root / "sys/module"
    if (modules / "nvidia").is_dir():
        version = _text(modules / "nvidia/version")
        told = _text(root / "proc/driver/nvidia/version")
        flavour = None
        if told:
            flavour = "open" if "Open Kernel Module" in told else "proprietary"
        return {"module": "nvidia", "version": version or None, "flavour": flavour}
    name = "nouveau" if (modules / "nouveau").is_dir() else "none"
    return {"module": name, "version": None, "flavour": None}


def secure_boot(root: Path = Path("/")) -> bool | None:
    """Whether Secure Boot is on; None where the firmware does not say (no EFI, or a container)."""
    variable = root / "sys/firmware/efi" / _SECURE_BOOT
    try:
        content = variable.read_bytes()
    except OSError:
        return None
    # Four bytes of attributes come before the value.
    return len(content) > 4 and content[4] == 1  # noqa: PLR2004 - the layout of an EFI variable


def archive(root: Path = Path("/")) -> dict[str, str]:
    """Return the host's own archive, for its further components: address and keyring of its first source."""
    folder = root / "etc/apt/sources.list.d"
    for path in sorted(folder.glob("*.sources")) if folder.is_dir() else []:
        if path.name.startswith("rackwright-"):
            continue
        for part in re.split(r"\n\s*\n", path.read_text(encoding="utf-8", errors="replace")):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(\S+)", part, re.MULTILINE))
            if "URIs" in fields and "security" not in fields["URIs"]:
                return {"uri": fields["URIs"].rstrip("/"), "signed_by": fields.get("Signed-By", "")}
    lines = [root / "etc/apt/sources.list", *(sorted(folder.glob("*.list")) if folder.is_dir() else [])]
    for path in lines:
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        match = re.search(r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+\S+\s+main\b", text, re.MULTILINE)
        if match and "security" not in match[2]:
            key = re.search(r"signed-by=(\S+)", match[1] or "")
            return {"uri": match[2].rstrip("/"), "signed_by": key[1] if key else ""}
    return {"uri": "", "signed_by": ""}


def processes(answer: str) -> list[dict[str, str]]:
    """Read what nvidia-smi says of the programs that compute on GPUs."""
    found = []
    for line in answer.splitlines():
        pid, _, name = line.partition(",")
        if pid.strip().isdigit():
            found.append({"pid": pid.strip(), "name": name.strip()})
    return found


def ask_packages() -> dict[str, dict[str, str]]:
    """Ask dpkg for the driver's packages."""
    return driver_packages(command.run(["dpkg-query", "-W", "-f", _QUERY]).stdout)


def ask_processes() -> list[dict[str, str]]:
    """Ask nvidia-smi who computes on the GPUs; nobody where there is no driver."""
    query = ["nvidia-smi", "--query-compute-apps=pid,process_name", "--format=csv,noheader"]
    answer = command.run(query, timeout=60)
    return processes(answer.stdout) if answer.rc == 0 else []


def ask_dkms() -> list[dict[str, str]]:
    """Ask DKMS for the modules that it has."""
    return dkms_modules(command.run(["dkms", "status"]).stdout)


def waiting_version(kernel: str) -> str | None:
    """Return the version of the module that a kernel would load at its next start."""
    for name in ("nvidia-current", "nvidia-current-open", "nvidia"):
        answer = command.run(["modinfo", "-k", kernel, "-F", "version", name])
        if answer.rc == 0 and answer.stdout.strip():
            return str(answer.stdout.split()[0])
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
