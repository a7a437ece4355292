"""Graphics processors by their PCI ids: what the tier wants, what a driver needs, what fits together."""

from __future__ import annotations

from collections.abc import Iterator

from rackwright.compatibility.check import check
from rackwright.compatibility.wanted import Wanted
from rackwright.hardware.gpus import known_gpus
from rackwright.hardware.model import Cpu, Gpu, Hardware, System
from rackwright.preflight.finding import HostFinding
from rackwright.preflight.observations import Observations
from rackwright.preflight.subject import Subject

# Engines that serve nothing without a GPU.
_GPU_ONLY = frozenset({"vllm", "fastchat"})


def gpu_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield what is found of GPUs on a host that serves models; other hosts need none."""
    if not subject.inference or subject.tier is None:
        return
    least, inference = subject.tier.machine.minimum, subject.tier.inference
    needed = f"{least.gpus} of {least.vram_gb} GB" if least.gpus else "none"
    if len(seen.gpus) < least.gpus:
        found = f"{len(seen.gpus) or 'no'} NVIDIA GPU{'s' if len(seen.gpus) != 1 else ''} on the PCI bus"
        if seen.gpus or inference.engine in _GPU_ONLY:
            mend = "add one, take a smaller tier, or put the host out of the group inference"
            yield subject.finding("error", "gpu", found, needed, mend)
        else:
            yield subject.finding(
                "warning",
                "gpu",
                found,
                needed,
                f"nothing, if {inference.cpu_model} on the processor is good enough; else add a GPU",
            )
    elif seen.gpus:
        yield from _memory_findings(subject, seen, needed)
    else:
        yield subject.ok("gpu", "none", needed)
    if seen.gpus:
        yield from _driver_findings(subject, seen)
        yield from compatibility_findings(subject, seen)


def _memory_findings(subject: Subject, seen: Observations, needed: str) -> Iterator[HostFinding]:
    assert subject.tier is not None  # noqa: S101 - the caller's condition, told to the type checker
    least_mb = (
        subject.tier.machine.minimum.vram_gb * 1024 * (1 - subject.limits.machine_tolerance_percent / 100)
    )
    for gpu in seen.gpus:
        model = known_gpus().by_id(gpu.id, gpu.subsystem)
        if model is None:
            yield subject.finding(
                "warning",
                "gpu",
                f"{gpu.id} at {gpu.address}, a model that is not known here",
                needed,
                "add it to group_vars/all/gpus.yml by its data sheet",
            )
        elif model.vram_mb < least_mb:
            yield subject.finding(
                "error",
                "gpu",
                f"{model.model} with {model.vram_mb} MiB at {gpu.address}",
                needed,
                "`rackwright models fit` names models that fit it; take a smaller tier, or another GPU",
            )
        else:
            yield subject.ok("gpu", f"{model.model} at {gpu.address}", needed)


def _driver_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    for gpu in seen.gpus:
        if gpu.driver == "vfio-pci":
            yield subject.finding(
                "error",
                "driver",
                f"vfio-pci has {gpu.address}: it is meant for a virtual machine",
                "a GPU of the host's own",
                "take it from vfio-pci (modprobe.d, kernel command line), or use the virtual machine",
            )
        elif gpu.driver == "nouveau":
            yield subject.finding(
                "info",
                "driver",
                f"nouveau has {gpu.address}",
                "NVIDIA's driver",
                "nothing: nouveau is switched off when the driver is installed, and the host starts anew",
            )
    if seen.driver is not None:
        yield subject.ok("driver", f"NVIDIA {seen.driver}", "NVIDIA's driver")
        return
    needed = f"linux-headers-{seen.kernel}"
    headers = seen.headers
    if headers is None or headers.installed or headers.available:
        found = "installed" if headers and headers.installed else "in the package sources"
        yield subject.ok("headers", found, needed)
    elif headers.available is None:
        yield subject.finding(
            "info",
            "headers",
            "the package lists were never fetched",
            needed,
            "`apt-get update`, then look again",
        )
    else:
        yield subject.finding(
            "error",
            "headers",
            f"neither installed nor in the package sources for the running kernel {seen.kernel}",
            needed,
            "install the newest kernel with its headers (linux-image-amd64 linux-headers-amd64) and start it",
        )
    if seen.secure_boot:
        yield subject.finding(
            "error",
            "secure_boot",
            "on",
            "off, or a key for the driver's module in the firmware",
            "turn it off in the firmware, or enrol a key: `mokutil --import <key>.der`, start anew, confirm",
        )
    else:
        yield subject.ok("secure_boot", "off" if seen.secure_boot is False else "no such firmware", "off")


def hardware_of(seen: Observations) -> Hardware:
    """Return what was seen in the form of a scan, as far as compatibility is judged by it."""
    distribution, _, version = seen.os.partition("-")
    gpus = []
    for gpu in seen.gpus:
        model = known_gpus().by_id(gpu.id, gpu.subsystem)
        gpus.append(
            Gpu(
                pci_address=gpu.address,
                pci_id=gpu.id,
                model=model.model if model else gpu.id,
                architecture=model.architecture if model else "unknown",
                compute_capability=model.compute_capability if model else "",
                vram_mb=model.vram_mb if model else 0,
                driver=seen.driver if gpu.driver == "nvidia" else None,
                mig=None,
                nvlink_peers=[],
            )
        )
    return Hardware(
        system=System(
            distribution=distribution.capitalize(),
            version=version,
            codename="",
            kernel=seen.kernel,
            architecture=seen.architecture,
            virtualization="container" if seen.container else "none",
            secure_boot=seen.secure_boot,
            python=seen.python,
        ),
        cpu=Cpu(model="", sockets=1, cores=seen.cpus, threads=seen.cpus),
        memory_mb=max(1, seen.memory_mb),
        numa=[],
        disks=[],
        filesystems=[],
        network=[],
        gpus=gpus,
        nvswitch=False,
    )


def compatibility_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield what does not go together: GPU, driver, kernel, engine, quantisation."""
    assert subject.tier is not None  # noqa: S101 - the caller's condition, told to the type checker
    inference = subject.tier.inference
    wanted = Wanted(subject.name, engine=inference.engine, quantisation=inference.quantisation)
    yield from check(hardware_of(seen), wanted)
