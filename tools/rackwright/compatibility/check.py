"""Refuse what cannot work together, with the reason and the change that would mend it."""

from __future__ import annotations

from rackwright.compatibility.drivers import driver_findings
from rackwright.compatibility.engines import engine_findings, quantisation_findings
from rackwright.compatibility.kernels import kernel_findings
from rackwright.compatibility.load import project_compatibility
from rackwright.compatibility.model import Compatibility
from rackwright.compatibility.wanted import Wanted, branch_in_question
from rackwright.hardware.model import Hardware
from rackwright.preflight.finding import HostFinding


def check(hardware: Hardware, wanted: Wanted, known: Compatibility | None = None) -> list[HostFinding]:
    """Return what does not go together on a host; empty when all does, or when the host has no GPU.

    Args:
        hardware: The host's facts.
        wanted: What it is meant to run.
        known: The facts of group_vars/all/compatibility.yml; None: those of the project.
    """
    if not hardware.gpus:
        return []
    known = known or project_compatibility()
    branch = branch_in_question(hardware, wanted)
    return [
        *driver_findings(hardware, wanted, branch, known),
        *kernel_findings(hardware, wanted, branch, known),
        *engine_findings(hardware, wanted, branch, known),
        *quantisation_findings(hardware, wanted, known),
    ]
