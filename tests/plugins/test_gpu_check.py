"""gpu_check: what recorded outputs of nvidia-smi come to, whole and with faults put in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.rackwright import command, gpu_reading, gpu_verdict

Load: TypeAlias = Callable[[str, str], ModuleType]
DATA = Path(__file__).parents[1] / "data/nvidia_smi"
BLACKWELL = DATA.joinpath("rtx-pro-6000-blackwell.xml").read_text(encoding="utf-8")
A100 = DATA.joinpath("a100-sxm4-mig.xml").read_text(encoding="utf-8")
T4 = DATA.joinpath("tesla-t4-cloud.xml").read_text(encoding="utf-8")
EXPECTED = {"pci_address": "0000:61:00.0", "pci_id": "10de:2bb4", "model": "RTX PRO 6000", "vram_mb": 97887}


class Host:
    """A host whose programs answer as told; what is not told of is not there."""

    def __init__(self, **answers: str | tuple[int, str]) -> None:
        self.answers = answers
        self.calls: list[list[str]] = []

    def run(self, argv: list[str], *_: object, **__: object) -> command.Outcome:
        self.calls.append(argv)
        keys = [" ".join(argv[: end + 1]).replace(" ", "_") for end in reversed(range(len(argv)))]
        answer = next((self.answers[key] for key in keys if key in self.answers), (127, "no such program"))
        rc, out = answer if isinstance(answer, tuple) else (0, answer)
        return command.Outcome(tuple(argv), rc, out, "")


@pytest.fixture
def examine(load: Load, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    module = load("modules", "gpu_check")

    def run(host: Host, **params: object) -> dict[str, Any]:
        monkeypatch.setattr(command, "run", host.run)
        defaults = {
            "expected": [EXPECTED],
            "allow_none": False,
            "fabric": False,
            "burn_in_image": "",
            "burn_in_command": [],
            "burn_in_seconds": 5,
        }
        result: dict[str, Any] = module.examine({**defaults, **params}, check_mode=False)
        return result

    return run


def checks(result: dict[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["severity"] for finding in result["findings"]}


def test_a_good_card_passes(examine: Callable[..., dict[str, Any]]) -> None:
    result = examine(Host(**{"nvidia-smi_-q_-x": BLACKWELL}))
    assert (result["verdict"], result["ok"], result["findings"]) == ("pass", True, [])
    assert result["driver"] == "590.44.01"
    assert result["gpus"][0]["ecc_volatile"] is None, "a card that does not count is not one without errors"


def test_what_the_recorded_machines_had(examine: Callable[..., dict[str, Any]]) -> None:
    t4 = examine(Host(**{"nvidia-smi_-q_-x": T4}), expected=[])
    # Clouds give a T4 eight of its sixteen lanes: worth knowing, no fault.
    assert checks(t4) == {"presence": "warning", "pcie": "warning", "persistence": "warning"}
    assert (t4["verdict"], t4["ok"]) == ("warn", True)
    a100 = {"pci_address": "0000:01:00.0", "pci_id": "10de:20b2", "model": "A100", "vram_mb": 81920}
    assert checks(examine(Host(**{"nvidia-smi_-q_-x": A100}), expected=[a100])) == {"persistence": "warning"}


H200 = DATA.joinpath("h200-loaded.xml").read_text(encoding="utf-8")
H200_EXPECTED = {"pci_address": "0000:00:06.0", "pci_id": "10de:2335", "model": "H200 SXM", "vram_mb": 143771}


def test_a_card_at_its_power_limit_is_no_fault(examine: Callable[..., dict[str, Any]]) -> None:
    result = examine(Host(**{"nvidia-smi_-q_-x": H200}), expected=[H200_EXPECTED])
    assert (result["verdict"], result["findings"]) == ("pass", [])
    (gpu,) = result["gpus"]
    told = (gpu["temperature_c"], gpu["power_w"], gpu["utilisation_percent"], gpu["clock_mhz"])
    assert told == (61, 673.73, 100, 1455)


@pytest.mark.parametrize(
    ("element", "severity"),
    [
        ("unrepairable_memory", "error"),
        ("channel_repair_pending", "warning"),
        ("tpc_repair_pending", "warning"),
    ],
)
def test_what_newer_drivers_say_of_memory(
    examine: Callable[..., dict[str, Any]], element: str, severity: str
) -> None:
    text = H200.replace(f"<{element}>No", f"<{element}>Yes")
    assert checks(examine(Host(**{"nvidia-smi_-q_-x": text}), expected=[H200_EXPECTED])) == {"ecc": severity}


FAULTS = [
    ("<gpu_recovery_action>None", "<gpu_recovery_action>GPU Reset", "recovery", "error"),
    (">16x</current_link_width>", ">4x</current_link_width>", "pcie", "warning"),
    ("68 C</gpu_temp_tlimit>", "3 C</gpu_temp_tlimit>", "heat", "warning"),
    (
        "Not Active</clocks_event_reason_hw_thermal_slowdown>",
        "Active</clocks_event_reason_hw_thermal_slowdown>",
        "heat",
        "error",
    ),
    ("No</remapped_row_failure>", "Yes</remapped_row_failure>", "ecc", "error"),
    ("No</remapped_row_pending>", "Yes</remapped_row_pending>", "ecc", "warning"),
    (
        "<volatile>\n        <sram_uncorrectable_parity>N/A",
        "<volatile>\n        <sram_uncorrectable_parity>2",
        "ecc",
        "error",
    ),
    (
        "<aggregate>\n        <sram_uncorrectable_parity>N/A",
        "<aggregate>\n        <sram_uncorrectable_parity>1",
        "ecc",
        "warning",
    ),
    ("<total>97887", "<total>65536", "memory", "error"),
    ("2BB410DE", "2BB510DE", "model", "error"),
    (
        "<current_mig>N/A</current_mig><pending_mig>N/A",
        "<current_mig>Disabled</current_mig><pending_mig>Enabled",
        "mig",
        "warning",
    ),
    (">Enabled</persistence_mode>", ">Disabled</persistence_mode>", "persistence", "warning"),
]


@pytest.mark.parametrize(("old", "new", "check", "severity"), FAULTS)
def test_each_fault_is_found_alone(
    examine: Callable[..., dict[str, Any]], old: str, new: str, check: str, severity: str
) -> None:
    assert old in BLACKWELL
    result = examine(Host(**{"nvidia-smi_-q_-x": BLACKWELL.replace(old, new, 1)}))
    assert checks(result) == {check: severity}
    assert all(finding["mend"] for finding in result["findings"])
    assert result["ok"] == (severity == "warning")


def test_a_card_that_fell_off_the_bus_is_missed(examine: Callable[..., dict[str, Any]]) -> None:
    lost = {**EXPECTED, "pci_address": "0000:62:00.0"}
    log = "NVRM: Xid (PCI:0000:62:00): 79, pid='<unknown>', GPU has fallen off the bus.\n"
    host = Host(**{"nvidia-smi_-q_-x": BLACKWELL, "journalctl": log})
    result = examine(host, expected=[EXPECTED, lost])
    assert checks(result) == {"presence": "error", "xid": "error"}
    assert "fallen off the bus" in result["findings"][1]["found"]


def test_an_error_of_a_program_is_no_fault_of_the_card(examine: Callable[..., dict[str, Any]]) -> None:
    log = "NVRM: Xid (PCI:0000:61:00): 31, pid=11, MMU Fault\n" * 3
    result = examine(Host(**{"nvidia-smi_-q_-x": BLACKWELL, "journalctl": log}))
    assert checks(result) == {"xid": "warning"}
    assert "3 times" in result["findings"][0]["found"]


def test_nvswitch_wants_its_fabric(examine: Callable[..., dict[str, Any]]) -> None:
    assert checks(examine(Host(**{"nvidia-smi_-q_-x": BLACKWELL}), fabric=True)) == {"fabric": "error"}
    joined = BLACKWELL.replace("<state>N/A</state><status>N/A", "<state>Completed</state><status>Success")
    assert checks(examine(Host(**{"nvidia-smi_-q_-x": joined}), fabric=True)) == {}


@pytest.mark.parametrize(("allowed", "ok"), [(True, True), (False, False)])
def test_without_a_gpu_the_tier_decides(
    examine: Callable[..., dict[str, Any]], allowed: bool, ok: bool
) -> None:
    result = examine(Host(), expected=[], allow_none=allowed)
    assert result["ok"] is ok
    assert result["verdict"] == ("no_gpu" if ok else "fail")


def test_a_driver_that_does_not_answer_is_never_passed(examine: Callable[..., dict[str, Any]]) -> None:
    broken = (9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")
    result = examine(Host(**{"nvidia-smi_-q_-x": broken}), allow_none=True)
    assert (result["verdict"], result["ok"]) == ("fail", False)
    assert "couldn't communicate" in result["findings"][0]["found"]
    garbled = examine(Host(**{"nvidia-smi_-q_-x": "<nvidia_smi_log><gpu"}), allow_none=True)
    assert garbled["ok"] is False


@pytest.mark.parametrize(
    ("allowed", "at_risk"),
    [
        ("DeviceAllow=/dev/nvidia0 rw /dev/nvidiactl rw", False),
        ("DeviceAllow=char-nvidia-frontend rw", False),
        ("DeviceAllow=/dev/null rwm", True),
        ("DeviceAllow=", True),
    ],
)
def test_a_container_that_the_next_daemon_reload_would_rob_is_found(
    examine: Callable[..., dict[str, Any]], allowed: str, at_risk: bool
) -> None:
    host = Host(
        **{
            "nvidia-smi_-q_-x": BLACKWELL,
            "docker_ps": "abc\n",
            "docker_exec_abc_test": "",
            "systemctl_show": allowed,
            "docker_inspect": "/vllm\n",
        }
    )
    result = examine(host)
    assert checks(result) == ({"container": "error"} if at_risk else {})
    if at_risk:
        assert "vllm" in result["findings"][0]["found"]


def test_the_bandwidth_of_nccl_is_read(load: Load) -> None:
    text = "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 437.213\n"
    assert load("modules", "gpu_check").bus_bandwidth(text) == pytest.approx(437.213)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00000000:3B:00.0", "0000:3b:00.0"), ("0000:62:00", "0000:62:00.0"), ("0009:01:00.0", "0009:01:00.0")],
)
def test_addresses_are_the_kernels(text: str, expected: str) -> None:
    assert gpu_reading.address(text) == expected


def test_an_error_outweighs_everything() -> None:
    bad = [{"severity": "error"}, {"severity": "warning"}]
    assert gpu_verdict.verdict(bad, 0) == "fail"
    assert gpu_verdict.verdict([], 0) == "no_gpu"
