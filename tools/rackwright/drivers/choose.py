"""Choose a driver. Pure: the same facts and wishes give the same plan, before and after it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rackwright.compatibility.drivers import architectures_of
from rackwright.compatibility.model import Compatibility
from rackwright.compatibility.version import branch_of
from rackwright.drivers.candidates import Candidate, Rejected, branch_problem, fabric_generation, judge
from rackwright.drivers.plan import DriverPlan, Running, SecureBoot, Wishes
from rackwright.drivers.sources import DriverSource, project_sources
from rackwright.hardware.model import Hardware

NOUVEAU = ("nouveau", "nova_core", "nova_drm")
PERSISTENCE = "nvidia-persistenced.service"
FABRIC = "nvidia-fabricmanager.service"


def choose_driver(
    hardware: Hardware,
    wishes: Wishes,
    known: Compatibility,
    running: Running | None = None,
    sources: Sequence[DriverSource] | None = None,
) -> DriverPlan:
    """Return what is to be done about a machine's driver.

    Args:
        hardware: The machine's facts.
        wishes: What the site asks for.
        known: The facts of group_vars/all/compatibility.yml.
        running: What drives the GPUs now; None: nothing.
        sources: The sources of group_vars/all/drivers.yml; None: those of the project.
    """
    running = running or Running()
    if not hardware.gpus:
        return DriverPlan("none", "this host has no GPU")
    kernel = wishes.kernel or hardware.system.kernel
    if wishes.source in {"mirror", "bundle"} and not wishes.repository:
        return _refuse(
            f"nvidia_driver_source is {wishes.source}, but nvidia_driver_repository names no place",
            "nvidia_driver_repository: the URL of the mirror, or the folder of the bundle on the host",
            kernel,
        )
    good, bad = judge(hardware, kernel, wishes, sources or project_sources(), known)
    if running.version is not None and running.packaged is False:
        return _foreign(running, running.version, hardware, wishes, kernel, known)
    if not good:
        return _nothing_serves(hardware, wishes, kernel, bad)
    best = good[0]
    kept = _kept(good, running, wishes)
    if kept is not None and kept.branch.branch != best.branch.branch:
        return DriverPlan(
            "keep",
            f"driver {running.version} runs and serves these GPUs; the first choice for a new host would be "
            f"branch {best.branch.branch}",
            branch=kept.branch.branch,
            flavour=running.flavour or kept.flavour,
            kernel=kernel,
            services=_services(hardware),
            fabric_manager=hardware.nvswitch,
            reboot_reason="nothing changes",
            notes=("set nvidia_driver_branch to replace it",),
        )
    return _install(best, hardware, wishes, kernel, running, bad)


def _foreign(
    running: Running, version: str, hardware: Hardware, wishes: Wishes, kernel: str, known: Compatibility
) -> DriverPlan:
    """Return what becomes of a driver that no package brought: kept where it serves, never installed over."""
    branch = branch_of(version)
    origin = f"driver {version} runs and no package brought it (NVIDIA's .run file, or the machine's image)"
    wrong = branch_problem(branch, hardware, wishes, known)
    if wishes.branch not in {None, branch}:
        wrong = f"the site wants branch {wishes.branch} (nvidia_driver_branch)"
    elif wishes.source is not None:
        wrong = f"the site wants packages (nvidia_driver_source: {wishes.source})"
    if wrong:
        return _refuse(
            f"{origin}; {wrong}",
            "remove it as it was installed (nvidia-uninstall, or another image), restart, and run this again",
            kernel,
        )
    return DriverPlan(
        "keep",
        f"{origin}; it serves these GPUs and stays",
        branch=branch,
        flavour=running.flavour,
        kernel=kernel,
        reboot_reason="nothing changes",
        notes=("who brought it must also renew it, and keep nvidia-persistenced running",),
    )


def _kept(good: list[Candidate], running: Running, wishes: Wishes) -> Candidate | None:
    """Return the candidate of the branch that runs already, when the site did not ask for one itself."""
    if running.version is None or wishes.branch is not None or wishes.source is not None:
        return None
    branch = branch_of(running.version)
    return next((candidate for candidate in good if candidate.branch.branch == branch), None)


def _install(
    chosen: Candidate,
    hardware: Hardware,
    wishes: Wishes,
    kernel: str,
    running: Running,
    bad: list[Rejected],
) -> DriverPlan:
    source, flavour = chosen.source, chosen.flavour
    generation = fabric_generation(hardware)
    fabric = getattr(source.fabric_manager, generation) if generation else []
    if chosen.signed:
        kernel_part = [name.format(kernel=kernel) for name in source.signed[flavour]]
        package = ""
    else:
        package = source.kernel_package[flavour]
        kernel_part = [f"linux-headers-{kernel}", package]
    secure_boot = _secure_boot(hardware, signed=chosen.signed)
    reboot, why = _reboot(chosen, running, hardware)
    return DriverPlan(
        "install",
        _reason(chosen, hardware, bad),
        branch=source.branch,
        flavour=flavour,
        source=source.source,
        place=_place(source, wishes),
        suite=source.suite,
        components=tuple(source.components),
        pin=source.pin,
        kernel=kernel,
        kernel_package=package,
        kernel_package_version=source.version,
        packages=(*kernel_part, *source.packages, *fabric),
        prior_packages=tuple(source.pinning),
        services=_services(hardware),
        fabric_manager=bool(fabric),
        blacklist=NOUVEAU,
        secure_boot=secure_boot,
        reboot=reboot,
        reboot_reason=why,
        notes=tuple(_notes(chosen, secure_boot, wishes)),
    )


def _place(source: DriverSource, wishes: Wishes) -> Literal["upstream", "mirror", "bundle"]:
    if source.source == "nvidia" and (wishes.source == "mirror" or wishes.source == "bundle"):  # noqa: PLR1714 - types
        return wishes.source
    return "upstream"


def _services(hardware: Hardware) -> tuple[str, ...]:
    return (PERSISTENCE, FABRIC) if hardware.nvswitch else (PERSISTENCE,)


def _reason(chosen: Candidate, hardware: Hardware, bad: list[Rejected]) -> str:
    names = ", ".join(architectures_of(hardware))
    source = chosen.source
    text = f"branch {source.branch} from {source.source} drives {names} by {chosen.flavour} modules"
    nearer = [entry for entry in bad if entry.source.source not in {"nvidia", source.source}]
    if nearer and not nearer[0].why.startswith("the site wants"):
        text += f"; {nearer[0].source.source} ({nearer[0].source.branch}) does not serve: {nearer[0].why}"
    return text


def _secure_boot(hardware: Hardware, *, signed: bool) -> SecureBoot:
    if hardware.system.secure_boot is None:
        return "unknown"
    if not hardware.system.secure_boot:
        return "off"
    return "signed" if signed else "enrol"


def _reboot(chosen: Candidate, running: Running, hardware: Hardware) -> tuple[bool, str]:
    if hardware.system.virtualization == "container":
        return False, "a container has no kernel of its own: restart the machine that it runs on"
    if running.module == "nouveau":
        return True, "nouveau drives the GPUs and gives them back at a restart only"
    if running.version is not None and branch_of(running.version) != chosen.branch.branch:
        return True, f"the modules of driver {running.version} are loaded"
    if running.flavour is not None and running.flavour != chosen.flavour:
        return True, f"the {running.flavour} modules are loaded"
    if running.version is not None:
        return False, f"driver {running.version} of this branch is loaded"
    return False, "no module drives the GPUs yet: the new one is loaded at once"


def _notes(chosen: Candidate, secure_boot: SecureBoot, wishes: Wishes) -> list[str]:
    notes = []
    if secure_boot == "enrol":
        notes.append(
            "Secure Boot is on and the module is built here: enrol the host's key once (mokutil --import "
            "/var/lib/dkms/mok.pub, restart, confirm at the console), or the kernel refuses the module"
        )
    if secure_boot == "unknown":
        notes.append(
            "the firmware does not say whether Secure Boot is on; if it is, the module must be signed"
        )
    if wishes.today is not None and not chosen.alive:
        notes.append(f"NVIDIA's support of branch {chosen.branch.branch} ended {chosen.branch.ends}")
    return notes


def _refuse(reason: str, hint: str, kernel: str) -> DriverPlan:
    return DriverPlan("refuse", reason, hint=hint, kernel=kernel, reboot_reason="nothing changes")


def _nothing_serves(hardware: Hardware, wishes: Wishes, kernel: str, bad: list[Rejected]) -> DriverPlan:
    names = ", ".join(architectures_of(hardware))
    system = f"{hardware.system.distribution} {hardware.system.version}"
    if not bad:
        return _refuse(
            f"no driver is known here for {system}",
            "use Debian 12 or 13, or Ubuntu 22.04 or 24.04",
            kernel,
        )
    real = [entry for entry in bad if not entry.why.startswith("the site wants")] or bad
    why = "; ".join(
        dict.fromkeys(f"{entry.source.source} {entry.source.branch}: {entry.why}" for entry in real)
    )
    return _refuse(
        f"no driver for {names} on {system} with kernel {kernel}: {why}", _way_out(wishes, real), kernel
    )


def _way_out(wishes: Wishes, bad: list[Rejected]) -> str:
    asked = [
        name
        for name, value in (
            ("nvidia_driver_branch", wishes.branch),
            ("nvidia_driver_source", wishes.source),
            ("nvidia_driver_flavour", wishes.flavour),
        )
        if value is not None
    ]
    if asked:
        return f"leave out {' and '.join(asked)}, and what serves these GPUs is chosen"
    if any("first that does" in entry.why or "is the last" in entry.why for entry in bad):
        return "no source has a driver that knows these GPUs: another system, or other GPUs"
    return "boot a kernel that the packages build against, or give the engine another version"
