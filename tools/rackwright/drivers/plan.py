"""What a site wishes, what runs on the host now, and what comes out: the plan."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rackwright.compatibility.model import Flavour
from rackwright.drivers.sources import Origin

Action = Literal["none", "keep", "install", "refuse"]
SecureBoot = Literal["off", "unknown", "signed", "enrol"]


@dataclass(frozen=True)
class Wishes:
    """What the site asks for; None: the choice is ours.

    Attributes:
        branch: Driver branch: 580.
        flavour: open or proprietary kernel modules.
        source: distribution (its own archive and its backports), backports alone, nvidia, or mirror and
            bundle: NVIDIA's repository from another place, which `repository` names.
        repository: URL of a mirror of NVIDIA's repository for this system, or path of a folder on the host.
        engine: The engine that is to run, which may need a newer driver; with `engine_version`.
        engine_version: Its version.
        kernel: Release of the kernel that the module is built for; None: the running one.
        today: The day, for branches whose support has ended; None: that is not looked at.
    """

    branch: int | None = None
    flavour: Flavour | None = None
    source: Literal["distribution", "backports", "nvidia", "mirror", "bundle"] | None = None
    repository: str = ""
    engine: str | None = None
    engine_version: str | None = None
    kernel: str | None = None
    today: dt.date | None = None


@dataclass(frozen=True)
class Running:
    """What drives the GPUs at the moment.

    Attributes:
        module: The kernel module: nouveau, nvidia, or none of them.
        flavour: Of the nvidia module; None: unknown.
        version: Of the nvidia module that is loaded; None: none is.
        processes: Programs that use the GPUs.
        packaged: Whether packages of the system brought it; None: unknown (a scan does not ask).
    """

    module: Literal["nouveau", "nvidia", "none"] = "none"
    flavour: Flavour | None = None
    version: str | None = None
    processes: int = 0
    packaged: bool | None = None


@dataclass(frozen=True)
class DriverPlan:
    """What is to be done on a host.

    Attributes:
        action: none (no GPU here), keep (what runs is good), install, refuse.
        reason: Why, in a sentence.
        hint: For a refusal: the change that would help.
        branch: Driver branch.
        flavour: Of its kernel modules.
        source: Where its packages come from; `place` says whether directly, from a mirror or a bundle.
        place: upstream, mirror or bundle.
        suite: Suite of the archive, or directory of NVIDIA's repository.
        components: What of the archive must be switched on.
        pin: Suite that apt must prefer for these packages.
        kernel: Kernel that the module is for.
        kernel_package: The package whose module is built on the host; empty when a signed one is installed.
        kernel_package_version: The version that is known to build; None: the newest of the source.
        packages: Everything to install, in one transaction; headers are among them.
        prior_packages: What must be installed before apt looks for the others: NVIDIA's pins to a branch.
        services: systemd units that run from then on.
        fabric_manager: Whether NVSwitch needs its manager.
        blacklist: Kernel modules that must not load.
        secure_boot: What it means here: off, unknown, signed (modules come signed), enrol (the operator
            must enrol the host's key once, at its console).
        reboot: Whether the host must be restarted before the driver runs.
        reboot_reason: Why, or why not.
        notes: What an operator should know.
    """

    action: Action
    reason: str
    hint: str = ""
    branch: int | None = None
    flavour: Flavour | None = None
    source: Origin | None = None
    place: Literal["upstream", "mirror", "bundle"] = "upstream"
    suite: str = ""
    components: tuple[str, ...] = ()
    pin: str | None = None
    kernel: str = ""
    kernel_package: str = ""
    kernel_package_version: str | None = None
    packages: tuple[str, ...] = ()
    prior_packages: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    fabric_manager: bool = False
    blacklist: tuple[str, ...] = ()
    secure_boot: SecureBoot = "off"
    reboot: bool = False
    reboot_reason: str = ""
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for Ansible and JSON, in lists and dictionaries."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }
