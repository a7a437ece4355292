"""What a host is meant to run on its GPUs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rackwright.compatibility.model import Flavour
from rackwright.compatibility.version import branch_of
from rackwright.hardware.model import Hardware


@dataclass(frozen=True)
class Wanted:
    """What is to be checked; what is None is not.

    Attributes:
        host: The host's name in the inventory, for the findings.
        branch: Driver branch to be installed; None: that of the driver that runs, where one does.
        flavour: Flavour of its kernel modules.
        package: The distribution's package of the kernel module, with `package_version`.
        package_version: Its version.
        engine: vllm, ollama, llama_cpp.
        engine_version: Its version; None: the newest that is known.
        quantisation: How the model's weights are stored: fp8, awq, bf16, q4_k_m, …
        today: The day for ends of support; None: they are not looked at.
    """

    host: str
    branch: int | None = None
    flavour: Flavour | None = None
    package: str | None = None
    package_version: str | None = None
    engine: str | None = None
    engine_version: str | None = None
    quantisation: str | None = None
    today: dt.date | None = None


def branch_in_question(hardware: Hardware, wanted: Wanted) -> int | None:
    """Return the branch that the host is to run, or runs; None where neither is known."""
    if wanted.branch is not None:
        return wanted.branch
    running = sorted({branch_of(gpu.driver) for gpu in hardware.gpus if gpu.driver})
    return running[0] if running else None
