"""What a lab consists of, as plain values; nothing here talks to Docker."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

LAB_LABEL = "rackwright.lab"
HOST_LABEL = "rackwright.host"
ZONE_LABEL = "rackwright.zone"
RELEASE_LABEL = "rackwright.release"
RECIPE_LABEL = "rackwright.recipe"
DOUBLE_LABEL = "rackwright.double"
SHARED_LABEL = "rackwright.shared"

OUTSIDE = "outside"
GATEWAY = "gateway"
RELEASES = ("trixie", "bookworm")


@dataclass(frozen=True)
class LabNetwork:
    """One network: a zone of the site, or the outside.

    Attributes:
        zone: The zone's name, or `outside`.
        name: The name of Docker's network.
        cidr: Its subnet.
        controller: The address of the machine that runs the lab (the bridge's own).
        gateway: The address of the lab's gateway in this network.
    """

    zone: str
    name: str
    cidr: IPv4Network
    controller: IPv4Address
    gateway: IPv4Address


@dataclass(frozen=True)
class LabHost:
    """One machine of the lab.

    Attributes:
        name: The inventory name.
        container: The name of the container.
        address: `ansible_host`, by which everybody reaches it.
        network: The network it stands in.
        extra_addresses: Further addresses that it answers to and may speak from.
        docker_volume: The volume at /var/lib/docker of a host that runs containers itself.
        inference: Whether it serves models, so that the lab has to make one.
    """

    name: str
    container: str
    address: IPv4Address
    network: LabNetwork
    extra_addresses: tuple[IPv4Address, ...] = ()
    docker_volume: str | None = None
    inference: bool = False


@dataclass(frozen=True)
class Lab:
    """A whole lab.

    Attributes:
        name: `lab_name` of the inventory; every object of the lab carries it as a label.
        networks: One per zone of the inventory, and the outside.
        hosts: All machines of the inventory, whether started or not.
        closed: Whether nothing leads out of its networks: no world, no package cache.
        directory: Where keys, known hosts and artifacts of this lab are on the control node.
    """

    name: str
    networks: tuple[LabNetwork, ...]
    hosts: tuple[LabHost, ...]
    directory: Path
    closed: bool = False

    @property
    def gateway_container(self) -> str:
        """The name of the gateway's container."""
        return f"rw-{self.name}-{GATEWAY}"

    @property
    def private_key(self) -> Path:
        """The SSH key that opens every host of the lab."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host keys of the lab's hosts, as read through Docker."""
        return self.directory / "known_hosts"

    @property
    def label(self) -> str:
        """The label that everything of this lab carries in Docker."""
        return f"{LAB_LABEL}={self.name}"
