"""The lab's machines and networks as Docker objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.lab.docker import docker, exists, inspect, server_major
from rackwright.lab.model import (
    GATEWAY,
    HOST_LABEL,
    LAB_LABEL,
    RECIPE_LABEL,
    RELEASE_LABEL,
    ZONE_LABEL,
    Lab,
    LabHost,
    LabNetwork,
)
from rackwright.lab.shared import WORLD_NETWORK, world_gateway

# systemd needs the control groups and mounts of its own; a container that runs containers needs an unmasked
# /proc (`systempaths`), or theirs cannot be set up. --privileged would ask for more than many machines grant.
SYSTEMD_OPTIONS = (
    "--cap-add=SYS_ADMIN",
    "--cap-add=NET_ADMIN",
    "--cap-add=NET_RAW",
    "--cap-add=SYS_PTRACE",
    # What the log shipper has on a server: reading every log, as no other account.
    "--cap-add=DAC_READ_SEARCH",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=host",
    "--stop-signal=SIGRTMIN+3",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp:exec,mode=1777",
    # A reboot from inside ends the container; this brings it back.
    "--restart=unless-stopped",
)

# The first major version of Docker that guards containers against packets from other bridges.
DIRECT_ACCESS_GUARD = 28


def ensure_network(lab: Lab, network: LabNetwork) -> None:
    """Create one network unless it is there.

    Docker must not translate addresses here: zones meet in the lab's gateway, and a packet that crosses a
    bridge with another zone's address would be given the bridge's own.

    Raises:
        RackwrightError: A network of that name has another subnet, or the subnet is in use.
    """
    found = inspect("network", network.name)
    if found:
        cidr = found[0]["IPAM"]["Config"][0]["Subnet"]
        if cidr != str(network.cidr):
            raise RackwrightError(
                f"the network {network.name} is {cidr}, the inventory says {network.cidr}",
                hint="take the lab down and up again",
            )
        return
    # Since 28 Docker drops packets to a container on every bridge but its own; where br_netfilter is loaded,
    # that would be all that the gateway forwards.
    unprotected = ["--opt=com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected"]
    docker(
        "network",
        "create",
        f"--subnet={network.cidr}",
        f"--gateway={network.controller}",
        "--opt=com.docker.network.bridge.enable_ip_masquerade=false",
        *(unprotected if server_major() >= DIRECT_ACCESS_GUARD else ()),
        *(["--internal"] if lab.closed else ()),
        f"--label={lab.label}",
        f"--label={ZONE_LABEL}={network.zone}",
        network.name,
    )


def refuse_other_release(hosts: Iterable[LabHost], release: str) -> None:
    """Refuse to go on where a machine is there already and is made of another release.

    Raises:
        RackwrightError: One is.
    """
    for shown in inspect("container", *(host.container for host in hosts)):
        made_of = shown["Config"]["Labels"].get(RELEASE_LABEL, "unknown")
        if made_of != release:
            raise RackwrightError(
                f"{shown['Name'].lstrip('/')} runs Debian {made_of}, asked for is {release}",
                hint=f"take the lab down first, or keep it: --release {made_of}",
            )


def ensure_host(lab: Lab, host: LabHost, image: str, release: str) -> str:
    """Create and start one machine unless it runs; returns what was done."""
    found = _usable(host.container)
    if found is None:
        volumes = []
        if host.docker_volume:
            if not exists("volume", host.docker_volume):
                docker("volume", "create", f"--label={lab.label}", host.docker_volume)
            volumes = [f"--volume={host.docker_volume}:/var/lib/docker"]
        environment = {
            "RACKWRIGHT_ROLE": "host",
            "RACKWRIGHT_ROUTES": f"default={host.network.gateway}",
            "RACKWRIGHT_ADDRESSES": " ".join(f"{address}/32" for address in host.extra_addresses),
        }
        labels = _labels(lab, host.name, host.network.zone, image, release)
        attached = [f"--network={host.network.name}", f"--ip={host.address}"]
        _create(host.container, host.name, image, [*labels, *attached, *volumes], environment)
    return _start(host.container, found)


def ensure_gateway(lab: Lab, image: str, release: str) -> str:
    """Create and start the gateway, with a leg in every network and the world; returns what was done."""
    container = lab.gateway_container
    found = _usable(container)
    if found is None:
        routes = [f"{address}/32={host.address}" for host in lab.hosts for address in host.extra_addresses]
        first, *others = lab.networks
        leg = [f"--network={first.name}", f"--ip={first.gateway}"]
        environment = {
            "RACKWRIGHT_ROLE": GATEWAY,
            "RACKWRIGHT_INSIDE": ", ".join(
                [str(network.cidr) for network in lab.networks]
                + [str(address) for host in lab.hosts for address in host.extra_addresses]
            ),
        }
        if not lab.closed:
            world = world_gateway()
            routes.insert(0, f"default={world}")
            environment["RACKWRIGHT_WORLD"] = str(world)
            leg, others = [f"--network={WORLD_NETWORK}"], [first, *others]
        environment["RACKWRIGHT_ROUTES"] = " ".join(routes)
        labels = _labels(lab, GATEWAY, GATEWAY, image, release)
        _create(container, GATEWAY, image, [*labels, *leg], environment)
        # Before its first start, so that the boot finds all legs.
        for network in others:
            docker("network", "connect", f"--ip={network.gateway}", network.name, container)
    return _start(container, found)


def _labels(lab: Lab, host: str, zone: str, image: str, release: str) -> list[str]:
    values = {
        LAB_LABEL: lab.name,
        HOST_LABEL: host,
        ZONE_LABEL: zone,
        RELEASE_LABEL: release,
        RECIPE_LABEL: image,
    }
    return [f"--label={name}={value}" for name, value in values.items()]


def _create(
    container: str, hostname: str, image: str, options: list[str], environment: dict[str, str]
) -> None:
    named = [f"--name={container}", f"--hostname={hostname}"]
    settings = [f"--env={name}={value}" for name, value in environment.items()]
    docker("create", *named, *SYSTEMD_OPTIONS, *options, *settings, image)


def _usable(container: str) -> dict[str, Any] | None:
    """Return what Docker knows of a machine that can be kept; one that was never started is removed."""
    found = inspect("container", container)
    if not found:
        return None
    state = found[0]["State"]["Status"]
    if state in {"created", "dead"}:
        docker("rm", "--force", "--volumes", container)
        return None
    return found[0]


def _start(container: str, found: dict[str, Any] | None) -> str:
    if found is not None and found["State"]["Running"]:
        return "runs"
    docker("start", container)
    return "created" if found is None else "started"
