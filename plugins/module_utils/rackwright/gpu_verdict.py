"""Judges what was read of a host's GPUs against what its inventory says. Each finding says how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Finding = dict[str, str]

# NVIDIA, "XID Errors": those that mean hardware or driver, and those that a program causes.
XID_HARDWARE = {
    48: "an uncorrectable memory error",
    61: "an internal breakdown of its microcontroller",
    62: "an internal halt of its microcontroller",
    63: "a row of its memory was retired or remapped",
    64: "a row of its memory could not be retired or remapped",
    74: "an error of NVLink",
    79: "it has fallen off the bus",
    92: "a high rate of correctable memory errors",
    94: "a contained memory error",
    95: "an uncontained memory error",
    119: "its GSP processor does not answer",
    120: "an error of its GSP processor",
    140: "an unrecovered memory error",
}
_NEAR_C = 5
_MEMORY_SHARE = 0.03


def _finding(severity: str, check: str, found: str, needed: str, mend: str) -> Finding:
    return {"severity": severity, "check": check, "found": found, "needed": needed, "mend": mend}


def verdict(findings: list[Finding], gpus: int) -> str:
    """Return one word: no_gpu, fail, warn or pass."""
    severities = {finding["severity"] for finding in findings}
    if "error" in severities:
        return "fail"
    if not gpus:
        return "no_gpu"
    return "warn" if "warning" in severities else "pass"


def compare(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> Iterator[Finding]:
    """Compare the GPUs that answer with those of the inventory."""
    there = {gpu["pci_address"]: gpu for gpu in found}
    wanted = {gpu["pci_address"]: gpu for gpu in expected}
    for place, gpu in wanted.items():
        if place not in there:
            yield _finding(
                "error",
                "presence",
                f"{gpu['model']} at {place} does not answer",
                "every GPU of hardware.yml",
                "look for Xid 79, check its seat and power; if it was taken out: rackwright scan",
            )
            continue
        other = there[place]
        if gpu["pci_id"] and other["pci_id"] and gpu["pci_id"] != other["pci_id"]:
            yield _finding(
                "error",
                "model",
                f"{other['model']} ({other['pci_id']}) at {place}",
                f"{gpu['model']} ({gpu['pci_id']})",
                "if it was exchanged: rackwright scan, and plan the models again",
            )
        elif gpu["vram_mb"] and abs(other["vram_mb"] - gpu["vram_mb"]) > gpu["vram_mb"] * _MEMORY_SHARE:
            yield _finding(
                "error",
                "memory",
                f"{other['vram_mb']} MiB at {place}",
                f"{gpu['vram_mb']} MiB, as hardware.yml says",
                "rackwright scan if ECC was switched; else the card has lost memory",
            )
    for place in sorted(set(there) - set(wanted)):
        yield _finding(
            "warning",
            "presence",
            f"{there[place]['model']} at {place} is not in hardware.yml",
            "GPUs that the plan knows",
            "rackwright scan",
        )


def judge(gpu: dict[str, Any], *, fabric: bool) -> Iterator[Finding]:
    """Judge one GPU by itself."""
    name = f"{gpu['model']} at {gpu['pci_address']}"
    yield from _memory(gpu, name)
    yield from _link(gpu, name)
    yield from _heat(gpu, name)
    if gpu["persistence"] == "Disabled":
        yield _finding(
            "warning",
            "persistence",
            f"{name}: persistence mode is off",
            "on, or each program waits for the driver to start",
            "systemctl status nvidia-persistenced",
        )
    current, pending = gpu["mig"]
    if current != pending and "N/A" not in gpu["mig"]:
        yield _finding(
            "warning",
            "mig",
            f"{name}: MIG is {current}, {pending} after a reset",
            "no change that waits",
            "stop what uses it, then nvidia-smi --gpu-reset, or restart the host",
        )
    if gpu["recovery"] not in {"", "None", "N/A"} or gpu["reset_required"] == "Yes":
        yield _finding(
            "error",
            "recovery",
            f"{name}: the driver asks for {gpu['recovery'] or 'a reset'}",
            "nothing to recover from",
            "do what it asks for; if it comes back, have the card exchanged",
        )
    state, status = gpu["fabric"]
    if fabric and (state != "Completed" or status not in {"Success", "N/A", ""}):
        yield _finding(
            "error",
            "fabric",
            f"{name}: the fabric is {state or 'unknown'} ({status or 'no status'})",
            "Completed and Success",
            "systemctl status nvidia-fabricmanager: its version must be exactly the driver's",
        )


def _memory(gpu: dict[str, Any], name: str) -> Iterator[Finding]:
    if gpu["ecc_volatile"]:
        yield _finding(
            "error",
            "ecc",
            f"{name}: {gpu['ecc_volatile']} uncorrectable memory errors since the driver started",
            "none",
            "restart the host so that rows are remapped; if they come back, have the card exchanged",
        )
    elif gpu["ecc_aggregate"]:
        yield _finding(
            "warning",
            "ecc",
            f"{name}: {gpu['ecc_aggregate']} uncorrectable memory errors in its life",
            "none",
            "watch it; have it exchanged when the number grows",
        )
    if gpu["rows_failed"] == "Yes" or gpu["unrepairable"] == "Yes":
        yield _finding(
            "error",
            "ecc",
            f"{name}: memory that is broken and cannot be taken out of use any more",
            "spare rows",
            "have the card exchanged",
        )
    elif gpu["rows_pending"] == "Yes" or gpu["retirement_pending"] == "Yes" or gpu["repair_pending"]:
        yield _finding(
            "warning",
            "ecc",
            f"{name}: memory waits to be taken out of use",
            "no change that waits",
            "restart the host when nobody works on it",
        )


def _link(gpu: dict[str, Any], name: str) -> Iterator[Finding]:
    if gpu["width"] and gpu["max_width"] and gpu["width"] < gpu["max_width"]:
        yield _finding(
            "warning",
            "pcie",
            f"{name}: {gpu['width']:.0f} PCIe lanes",
            f"{gpu['max_width']:.0f}, as card and slot can",
            "seat it anew, check risers and the slot (the generation falls when idle, lanes do not)",
        )


def _heat(gpu: dict[str, Any], name: str) -> Iterator[Finding]:
    brakes = [brake for brake in gpu["slowdowns"] if brake != "sw_thermal_slowdown"]
    margin = gpu["margin_c"]
    if margin is None and gpu["slow_at_c"] is not None and gpu["temperature_c"] is not None:
        margin = gpu["slow_at_c"] - gpu["temperature_c"]
    if brakes:
        yield _finding(
            "error",
            "heat",
            f"{name}: braked by {', '.join(brakes)} at {gpu['temperature_c']:.0f} °C",
            "no brake of the hardware",
            "check fans, air and the power supply's cables",
        )
    elif margin is not None and margin < _NEAR_C:
        yield _finding(
            "warning",
            "heat",
            f"{name}: {gpu['temperature_c']:.0f} °C, {margin:.0f} below where it brakes",
            f"{_NEAR_C} °C of margin",
            "check fans and air",
        )


def judge_xids(errors: list[dict[str, Any]]) -> Iterator[Finding]:
    """Judge the errors of the kernel's log since the start of the host."""
    for error in errors:
        meaning = XID_HARDWARE.get(error["code"])
        place = f"Xid {error['code']} at {error['pci_address']}, {error['times']} times"
        if meaning is None:
            yield _finding(
                "warning",
                "xid",
                place,
                "no errors of programs either",
                "mostly a fault of the program that ran; NVIDIA's list of Xid errors says which",
            )
        else:
            yield _finding(
                "error",
                "xid",
                f"{place}: {meaning}",
                "none since the host started",
                "restart the host; if it comes back, have the card exchanged (79: check its seat first)",
            )


def no_gpu(expected: int, *, allowed: bool, why: str) -> Iterator[Finding]:
    """Judge a host whose driver shows no GPU."""
    if expected:
        yield _finding(
            "error",
            "driver",
            f"{expected} GPUs by hardware.yml, none answers: {why}",
            "a driver that runs",
            "run playbooks/gpu.yml, restart the host if it says so, then look at `dmesg`",
        )
    elif not allowed:
        yield _finding(
            "error",
            "presence",
            "no GPU",
            "the GPUs that the site's tier counts on",
            "choose a tier that serves from the processors, or put this host out of the group gpu",
        )


def container_at_risk(name: str) -> Finding:
    """Say that a container got its GPU behind systemd's back."""
    return _finding(
        "error",
        "container",
        f"container {name} has a GPU that systemd does not know of: the next daemon-reload takes it away",
        "GPUs given by CDI (nvidia.com/gpu=…)",
        "start it with --device nvidia.com/gpu=all in the place of --gpus or runtime: nvidia",
    )


def judge_load(check: str, load: dict[str, Any]) -> Iterator[Finding]:
    """Judge a load or a measurement that ran."""
    if load.get("ran") and load.get("rc"):
        lines = str(load.get("output", "")).strip().splitlines()
        yield _finding(
            "error",
            check,
            f"it ended with status {load['rc']}: {lines[-1] if lines else 'no output'}",
            "status 0",
            "run it by hand and look at `dmesg` beside it",
        )


def judge_loaded(gpus: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Judge what was seen of the GPUs while they were to be under load."""
    for place, gpu in gpus.items():
        name = f"{gpu['model']} at {place}"
        brakes = [brake for brake in gpu["slowdowns"] if brake != "sw_thermal_slowdown"]
        if brakes:
            yield _finding(
                "error",
                "burn_in",
                f"{name}: braked by {', '.join(brakes)} under load, at up to {gpu['temperature_c']:.0f} °C",
                "no brake of the hardware",
                "check fans, air and the power supply's cables",
            )
        if gpu["utilisation_percent"] == 0:
            yield _finding(
                "error",
                "burn_in",
                f"{name} stayed idle",
                "every GPU under load",
                "use a load that takes all GPUs, or one that lasts longer than a few seconds",
            )
