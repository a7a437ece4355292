"""Where each host stands and what runs on it, by the size of the site."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.init.answers import DOCS, Answers, HostAnswer

# Inventory group -> the zone that its hosts stand in, on a site with a host or more per zone.
PLACES: Mapping[str, str] = {
    "edge": "dmz",
    "app": "app",
    "container_hosts": "app",
    "inference": "app",
    "model_route": "app",
    "postgresql": "data",
    "redis": "data",
    "mariadb": "data",
    "mongodb": "data",
    "vector_store": "data",
    "object_store": "data",
    "monitoring": "ops",
    "grafana": "ops",
    "backup": "ops",
    "mirror": "ops",
    "log_store": "ops",
    "logstash": "ops",
    "kibana": "ops",
    "dify": "app",
}
# On hosts whose answer names them, and on no others.
BY_WISH = frozenset(
    {
        "mariadb",
        "mongodb",
        "vector_store",
        "object_store",
        "grafana",
        "mirror",
        "log_store",
        "logstash",
        "kibana",
        "dify",
    }
)
# What the hosts of a group are for, in the site's own files.
PURPOSES: Mapping[str, str] = {
    "edge": "HTTPS: the only hosts that people reach",
    "app": "The chat API",
    "container_hosts": "Docker, for what runs in containers",
    "inference": "Model servers",
    "model_route": "One address with the OpenAI API before all model servers",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "mariadb": "MariaDB, for programs of your own (docs/stores/mariadb.md)",
    "mongodb": "MongoDB; needs an image, and the group container_hosts (docs/stores/mongodb.md)",
    "vector_store": "The store of the vectors, where that is not PostgreSQL",
    "object_store": "Buckets of files, served as S3 (docs/stores/objects.md)",
    "monitoring": "May ask every host for its metrics",
    "grafana": "Shows what is measured; needs an image, and the group container_hosts (docs/grafana.md)",
    "backup": "Fetches and keeps the backups of all other hosts",
    "mirror": "Gives all hosts what they install, from a bundle (docs/bundle.md)",
    "log_store": "Keeps what all hosts log, as log_store says (docs/logs.md)",
    "logstash": "Takes what the hosts log and hands it to the store; needs log_store (docs/logs.md)",
    "kibana": "Shows what the hosts log; needs log_store and the group container_hosts (docs/logs.md)",
    "dify": "Dify; needs its images, and the group container_hosts (docs/dify.md)",
}
ZONES = ("dmz", "app", "data", "ops")
# Zones by the order of the hosts, where hosts do not say theirs.
_FIRST = {"small": ("dmz",), "medium": ("dmz", "ops"), "large": ZONES, "lab": ZONES}
MEDIUM_HOSTS = 2
LARGE_HOSTS = 5
# Subnets are no wider than what people give a zone.
_WIDEST = {4: 24, 6: 64}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class PlacedHost:
    """A host, its zone and its groups, in the order of PLACES."""

    answer: HostAnswer
    zone: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """All hosts in their order, and the subnet of each zone that has one."""

    hosts: tuple[PlacedHost, ...]
    zones: Mapping[str, str]

    def members(self, group: str) -> tuple[PlacedHost, ...]:
        """Return the hosts of a group."""
        return tuple(host for host in self.hosts if group in host.groups)

    def standing(self, zone: str) -> tuple[PlacedHost, ...]:
        """Return the hosts of a zone."""
        return tuple(host for host in self.hosts if host.zone == zone)


def lay_out(answers: Answers, gpu_hosts: frozenset[str] = frozenset()) -> Layout:
    """Place the hosts of a site.

    Args:
        answers: The answers.
        gpu_hosts: Names of hosts in which a GPU has been found: they serve the models.

    Raises:
        FindingsError: Too few or too many hosts for the size, a zone or group that does not exist, a name or
            an address given twice, hosts whose zones cannot be told apart; holds every finding.
    """
    findings = [*_count_findings(answers), *_host_findings(answers.hosts)]
    findings += [
        Finding(f"zones.{zone}", cidr, "there is no zone of this name", f"the zones are {', '.join(ZONES)}")
        for zone, cidr in answers.zones.items()
        if zone not in ZONES
    ]
    if findings:
        raise FindingsError(findings)
    zones = {host.name: host.zone or _zone_of(answers, number) for number, host in enumerate(answers.hosts)}
    placed = tuple(
        PlacedHost(host, zones[host.name], _groups(answers, host, zones, gpu_hosts)) for host in answers.hosts
    )
    return Layout(placed, _subnets(answers, placed))


def _count_findings(answers: Answers) -> Iterator[Finding]:
    count = len(answers.hosts)
    wanted = {
        "small": (count == 1, "one host", "add `--size medium` for two, `large` for five and more"),
        "medium": (
            count == MEDIUM_HOSTS,
            "two hosts, the primary first",
            "`small` is for one, `large` for five and more",
        ),
        "large": (count >= LARGE_HOSTS, "five hosts or more", "`medium` is for two; `lab` takes any number"),
        "lab": (True, "", ""),
    }
    right, rule, hint = wanted[answers.size]
    if not right:
        yield Finding("hosts", f"{count} hosts", f"the size {answers.size} has {rule}", hint)
    if answers.size in {"large", "lab"}:
        for host in answers.hosts:
            if host.zone is None:
                yield Finding(
                    "hosts.zone",
                    "(absent)",
                    f"on a site of this size each host says its zone: {', '.join(ZONES)}",
                    f"--hosts {host.name}={host.address},app",
                    f"host {host.name}",
                )


def _host_findings(hosts: Sequence[HostAnswer]) -> Iterator[Finding]:
    names: set[str] = set()
    owners: dict[str, str] = {}
    for host in hosts:
        where = f"host {host.name}"
        if host.name in names:
            yield Finding("hosts.name", host.name, "another host has this name", "names are unique", where)
        names.add(host.name)
        address = str(ipaddress.ip_address(host.address))
        if owners.setdefault(address, host.name) != host.name:
            yield Finding(
                "hosts.address",
                address,
                f"{owners[address]} has this address already",
                "give each host its own address",
                where,
            )
        if host.zone is not None and host.zone not in ZONES:
            yield Finding(
                "hosts.zone", host.zone, "there is no zone of this name", f"one of {', '.join(ZONES)}", where
            )
        for group in host.groups or ():
            if group not in PLACES:
                yield Finding(
                    "hosts.groups", group, "nothing runs by this name", f"one of {', '.join(PLACES)}", where
                )


def _zone_of(answers: Answers, number: int) -> str:
    first = _FIRST[answers.size]
    return first[min(number, len(first) - 1)]


def _groups(
    answers: Answers, host: HostAnswer, zones: Mapping[str, str], gpu_hosts: frozenset[str]
) -> tuple[str, ...]:
    if host.groups is not None:
        return tuple(group for group in PLACES if group in host.groups)
    usual = [group for group in PLACES if group not in BY_WISH]
    if answers.size == "small":
        # A backup on the host that it is of is lost with it.
        return tuple(group for group in usual if group not in {"model_route", "backup"})
    if answers.size == "medium":
        primary = host.name == answers.hosts[0].name
        # The standby watches the primary and can run containers; nothing calls it from the DMZ.
        return tuple(
            group
            for group in usual
            if (
                group not in {"monitoring", "backup", "model_route"}
                if primary
                else group in {"monitoring", "backup", "container_hosts"}
            )
        )
    zone = zones[host.name]
    beside = [other.name for other in answers.hosts if zones[other.name] == zone and other.groups is None]
    return tuple(group for group in usual if PLACES[group] == zone and _runs(group, host, beside, gpu_hosts))


def _runs(group: str, host: HostAnswer, beside: Sequence[str], gpu_hosts: frozenset[str]) -> bool:
    """Tell whether a group of the host's zone is on this host, and not on the others of the zone alone."""
    if group in {"postgresql", "redis", "backup"}:
        # Without replication a second database would be another, empty one; backups are in one place.
        return host.name == beside[0]
    models = [name for name in beside if name in gpu_hosts] or list(beside[1:]) or list(beside)
    if group in {"inference", "container_hosts"}:
        return host.name in models
    if group == "model_route" and len(models) == 1:
        # One model server needs no route before it.
        return False
    if group in {"app", "model_route"}:
        return host.name not in models or len(models) == len(beside)
    return True


def _subnets(answers: Answers, hosts: Sequence[PlacedHost]) -> dict[str, str]:
    used = [zone for zone in ZONES if zone in answers.zones or any(host.zone == zone for host in hosts)]
    addresses = {
        zone: [ipaddress.ip_address(host.answer.address) for host in hosts if host.zone == zone]
        for zone in used
    }
    given = {zone: ipaddress.ip_network(cidr) for zone, cidr in answers.zones.items()}
    found: dict[str, Network] = dict(given)
    findings = []
    for zone in used:
        if zone in found:
            continue
        others = [address for other in used if other != zone for address in addresses[other]]
        network = _widest(addresses[zone], others, list(found.values()))
        if network is None:
            findings.append(
                Finding(
                    f"zones.{zone}",
                    "(absent)",
                    "its hosts' addresses lie among those of other zones, so its subnet cannot be worked out",
                    f"say it: `zones: {{{zone}: <subnet>}}` in the answers, or move the addresses apart",
                    f"see {DOCS}",
                )
            )
        else:
            found[zone] = network
    if findings:
        raise FindingsError(findings)
    return {zone: str(found[zone]) for zone in used}


def _widest(
    inside: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address],
    outside: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address],
    taken: Sequence[Network],
) -> Network | None:
    """Return the widest subnet, /24 or /64 at most, that holds the one and nothing of the other."""
    first = inside[0]
    for prefix in range(_WIDEST[first.version], first.max_prefixlen + 1):
        network: Network = ipaddress.ip_network(f"{first}/{prefix}", strict=False)
        if not all(address in network for address in inside):
            return None
        clash = any(address in network for address in outside) or any(
            other.version == network.version and other.overlaps(network) for other in taken
        )
        if not clash:
            return network
    return None
