#!/usr/bin/python
"""Examines the GPUs of a host: what an operator runs on a new machine, and after a strange night."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import command, gpu_load, gpu_reading, gpu_verdict

DOCUMENTATION = r"""
---
module: gpu_check
short_description: Examine the GPUs of a host
description:
  - Compares what nvidia-smi says with the inventory; looks at memory errors, Xid errors, PCIe lanes, heat,
    the fabric, and whether running containers would lose their GPUs at the next C(systemctl
    daemon-reload).
  - With an image or a command it also puts the GPUs under load for a bounded time and watches them; with
    C(all_reduce_perf) on the host it measures between GPUs.
options:
  expected:
    description: The GPUs of the host's hardware.yml.
    type: list
    elements: dict
    default: []
  allow_none:
    description: Whether a host without GPUs passes.
    type: bool
    default: false
  fabric:
    description: Whether NVSwitch joins the GPUs.
    type: bool
    default: false
  burn_in_image:
    description: Image of a container that loads all GPUs, on the host already. Without one the command is a
      program of the host.
    type: str
    default: ""
  burn_in_command:
    description: Command of the load; without image and command there is none.
    type: list
    elements: str
    default: []
  burn_in_seconds:
    description: After that many seconds it is stopped; a load that lasts until then is good.
    type: int
    default: 60
attributes:
  check_mode: {support: partial, description: The load is left out.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Examine the GPUs
  gpu_check:
    expected: "{{ hardware.gpus }}"
"""

RETURN = r"""
verdict: {description: "pass, warn, fail or no_gpu", type: str, returned: always}
ok: {description: Whether the host may serve, type: bool, returned: always}
driver: {description: Version of the driver, type: str, returned: always}
gpus: {description: What was read of each GPU, type: list, elements: dict, returned: always}
findings: {description: "severity, check, found, needed, mend", type: list, elements: dict, returned: always}
burn_in: {description: "ran, seconds, rc, output, gpus, temperature_c", type: dict, returned: always}
nccl: {description: "ran, bandwidth_gbs (bus bandwidth)", type: dict, returned: always}
"""


def containers_at_risk() -> list[str]:
    """Return the containers whose GPU a daemon-reload would take away: systemd does not know of it."""
    listed = command.run(["docker", "ps", "--quiet", "--no-trunc"], timeout=30)
    found = []
    for identifier in listed.stdout.split() if listed.rc == 0 else []:
        inside = command.run(["docker", "exec", identifier, "test", "-e", "/dev/nvidiactl"], timeout=30)
        if inside.rc != 0:
            continue
        unit = command.run(["systemctl", "show", f"docker-{identifier}.scope", "--property=DeviceAllow"])
        if unit.rc == 0 and not gpu_reading.allowed_gpus(unit.stdout):
            name = command.run(["docker", "inspect", "--format", "{{.Name}}", identifier]).stdout
            found.append(name.strip().lstrip("/") or identifier[:12])
    return found


def nccl(gpus: int) -> dict[str, Any]:
    """Measure between the GPUs, where NCCL's test is on the host."""
    if gpus < 2:  # noqa: PLR2004 - one GPU has nobody to talk to
        return {"ran": False}
    test = ["all_reduce_perf", "-b", "64M", "-e", "64M", "-g", str(gpus), "-n", "20"]
    done = command.run(test, timeout=300)
    if done.rc == 127:  # noqa: PLR2004 - there is no such program
        return {"ran": False}
    return {
        "ran": True,
        "rc": done.rc,
        "bandwidth_gbs": bus_bandwidth(done.stdout),
        "output": done.output[-2000:],
    }


def bus_bandwidth(output: str) -> float | None:
    """Read the average that NCCL's tests close with, in GB/s."""
    for line in output.splitlines():
        if "Avg bus bandwidth" in line:
            average: float | None = gpu_reading.number(line.rpartition(":")[2])
            return average
    return None


def examine(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Read, judge, and say it."""
    expected = params["expected"]
    result: dict[str, Any] = {"driver": "", "gpus": [], "burn_in": {"ran": False}, "nccl": {"ran": False}}
    findings: list[gpu_verdict.Finding] = []
    asked = command.run(["nvidia-smi", "-q", "-x"], timeout=120)
    if asked.rc == 0:
        try:
            read = gpu_reading.gpus(asked.stdout)
        except gpu_reading.UnreadableError as error:
            read = {"driver": "", "gpus": []}
            asked = command.Outcome(asked.argv, 1, "", str(error))
        result.update(driver=read["driver"], gpus=read["gpus"])
    if not result["gpus"]:
        why = asked.output.strip().splitlines()[-1] if asked.output.strip() else "nvidia-smi is silent"
        findings += gpu_verdict.no_gpu(len(expected), allowed=params["allow_none"], why=why)
        return _concluded(result, findings, params)
    findings += gpu_verdict.compare(expected, result["gpus"])
    for gpu in result["gpus"]:
        findings += gpu_verdict.judge(gpu, fabric=params["fabric"])
    log = command.run(["journalctl", "--dmesg", "--boot", "--output=cat", "--grep=NVRM: Xid"], timeout=60)
    findings += gpu_verdict.judge_xids(gpu_reading.xids(log.stdout))
    findings += [gpu_verdict.container_at_risk(name) for name in containers_at_risk()]
    if (params["burn_in_image"] or params["burn_in_command"]) and not check_mode:
        load = gpu_load.run(params["burn_in_image"], params["burn_in_command"], params["burn_in_seconds"])
        result["burn_in"] = load
        findings += gpu_verdict.judge_load("burn_in", load)
        findings += gpu_verdict.judge_loaded(load["gpus"])
    if not check_mode:
        result["nccl"] = nccl(len(result["gpus"]))
        findings += gpu_verdict.judge_load("nccl", result["nccl"])
    return _concluded(result, findings, params)


def _concluded(
    result: dict[str, Any], findings: list[gpu_verdict.Finding], params: dict[str, Any]
) -> dict[str, Any]:
    word = gpu_verdict.verdict(findings, len(result["gpus"]))
    ok = word in {"pass", "warn"} or (word == "no_gpu" and params["allow_none"])
    return {**result, "findings": findings, "verdict": word, "ok": ok}


def main() -> None:
    """Run the module."""
    spec = {
        "expected": {"type": "list", "elements": "dict", "default": []},
        "allow_none": {"type": "bool", "default": False},
        "fabric": {"type": "bool", "default": False},
        "burn_in_image": {"type": "str", "default": ""},
        "burn_in_command": {"type": "list", "elements": "str", "default": []},
        "burn_in_seconds": {"type": "int", "default": 60},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    module.exit_json(changed=False, invocation={}, **examine(module.params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
