"""The collector of GPUs: recorded cards, one of them at work, and the driver's errors."""

from __future__ import annotations

from typing import Any

import pytest
from smi_answers import answered

from rackwright.host_metrics import gpu
from rackwright.host_metrics.commands import UnavailableError
from rackwright.host_metrics.exposition import Family
from rackwright.site.paths import repository_root

DATA = repository_root() / "tests/data"
# The same H200, idle and under a matrix product in bf16.
IDLE, LOADED = DATA / "hardware/h200-virtual/nvidia-smi.xml", DATA / "nvidia_smi/h200-loaded.xml"
T4 = DATA / "nvidia_smi/tesla-t4-cloud.xml"
LOG = """\
NVRM: Xid (PCI:0000:00:06): 13, pid=77, Graphics Exception
NVRM: Xid (PCI:0000:00:06): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
"""
H200 = {"gpu": "0", "UUID": "GPU-00000000-0000-4000-8000-000000000001", "modelName": "NVIDIA H200"}


def told(families: list[Any], **labels: str) -> dict[str, float]:
    """The samples of one card, or those without labels, by name."""
    key = tuple(sorted(labels.items()))
    return {
        family.name: family.samples[key]
        for family in families
        if isinstance(family, Family) and key in family.samples
    }


def test_a_card_at_work() -> None:
    assert told(gpu.read(answered(LOADED)), **H200) == {
        "DCGM_FI_DEV_FB_USED": 1011,
        "DCGM_FI_DEV_FB_FREE": 142146,
        "DCGM_FI_DEV_GPU_TEMP": 61,
        "DCGM_FI_DEV_GPU_UTIL": 100,
        "DCGM_FI_DEV_POWER_USAGE": 692.7,
    }


def test_the_same_card_idle() -> None:
    found = told(gpu.read(answered(IDLE)), **H200)
    assert (found["DCGM_FI_DEV_GPU_UTIL"], found["DCGM_FI_DEV_FB_USED"]) == (0, 0)
    assert found["DCGM_FI_DEV_POWER_USAGE"] < 100


def test_what_a_card_does_not_tell_is_left_out() -> None:
    table = answered(LOADED, T4)
    assert "[N/A]" in table.splitlines()[1]
    t4 = {"gpu": "1", "UUID": "GPU-d37e67a5-91dd-3774-a5cb-99096249601a", "modelName": "Tesla T4"}
    found = told(gpu.read(table), **t4)
    assert (found["DCGM_FI_DEV_GPU_TEMP"], found["DCGM_FI_DEV_POWER_USAGE"]) == (40, 26.78)
    assert not {"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_FREE"} & set(found)


def test_the_last_error_is_its_card_s_and_a_lost_card_is_missed() -> None:
    table = answered(LOADED, T4)
    assert told(gpu.xids(table, LOG), **H200) == {"DCGM_FI_DEV_XID_ERRORS": 79}
    errors = [sample for family in gpu.xids(table, LOG) for sample in family.samples.values()]
    assert errors == [79, 0]
    assert told(gpu.counted(table, 4)) == {"rackwright_gpu_count": 2, "rackwright_gpu_expected": 4}


def test_both_are_asked_and_a_driver_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> str:
        asked.append(command)
        return answered(LOADED) if command[0] == "nvidia-smi" else LOG

    monkeypatch.setattr(gpu, "run", run)
    assert told(gpu.gpus(1), **H200)["DCGM_FI_DEV_XID_ERRORS"] == 79
    assert asked[0][1] == f"--query-gpu={','.join(gpu.FIELDS)},pci.bus_id"

    def away(command: list[str], **_: object) -> str:
        raise UnavailableError(f"{command[0]}: 9: couldn't communicate with the NVIDIA driver")

    monkeypatch.setattr(gpu, "run", away)
    with pytest.raises(UnavailableError, match="nvidia-smi"):
        gpu.gpus(1)
