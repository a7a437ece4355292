"""The compose file of one container, and the fingerprint by which it is known to be up to date."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import yaml

from rackwright.containers.definition import ContainerService, Scalar, SharedNetwork

HEADER = "# Managed by Ansible (container_service): changes made here are lost.\n"
REVISION_LABEL = "rackwright.revision"
INTERFACE_NAME_LENGTH = 15


@dataclass(frozen=True)
class Project:
    """What the host needs to run a service.

    Attributes:
        compose: Text of compose.yaml.
        secret_environment: What the host writes to secret.env, which compose.yaml names when there is any.
        secrets: File name to content.
        revision: Changes whenever any of the above does.
    """

    compose: str
    secret_environment: dict[str, str]
    secrets: dict[str, str]
    revision: str


def directory(name: str) -> str:
    """Return where a service's files are on its host."""
    return f"/etc/rackwright/containers/{name}"


def bridge(name: str) -> str:
    """Return the name of the network interface of a service: `br-` first, and no longer than Linux allows."""
    full = f"br-{name}"
    if len(full) <= INTERFACE_NAME_LENGTH:
        return full
    return f"{full[: INTERFACE_NAME_LENGTH - 5]}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def literal(text: str) -> str:
    """Write a text so that compose does not put variables into it."""
    return text.replace("$", "$$")


def scalar(value: Scalar) -> str:
    """Write a value of the environment: booleans in small letters, as programs expect them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _volumes(service: ContainerService) -> list[dict[str, object]]:
    result: list[dict[str, object]] = []
    for volume in service.definition.volumes:
        bound = volume.source.startswith("/")
        entry: dict[str, object] = {
            "type": "bind" if bound else "volume",
            "source": literal(volume.source),
            "target": literal(volume.target),
            "read_only": volume.read_only,
        }
        if bound:
            # A missing directory is a mistake to be told, not to be filled with an empty one.
            entry["bind"] = {"create_host_path": False}
        result.append(entry)
    result.extend(
        {
            "type": "bind",
            "source": f"{directory(service.name)}/secrets/{name}",
            "target": f"/run/secrets/{name}",
            "read_only": True,
            "bind": {"create_host_path": False},
        }
        for name in sorted(service.definition.secrets)
    )
    return result


def _service(service: ContainerService) -> dict[str, object]:
    definition = service.definition
    check = definition.healthcheck
    entry: dict[str, object] = {
        "image": service.image.reference,
        "container_name": service.name,
        "pull_policy": "never",
        "restart": "unless-stopped",
        "read_only": definition.read_only,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{definition.memory_mb}m",
        # No swap beyond the memory: the budget of the host is memory, and a swapping service answers nobody.
        "memswap_limit": f"{definition.memory_mb}m",
        "cpus": definition.cpus,
        "pids_limit": definition.pids,
        "stop_grace_period": f"{definition.stop_seconds}s",
        "logging": {
            "driver": "json-file",
            "options": {
                "max-size": f"{definition.log_max_mb}m",
                "max-file": str(definition.log_files),
                # In every line: who ships it knows by that whose it is.
                "tag": "{{.Name}}",
            },
        },
        "healthcheck": {
            "test": ["CMD", *map(literal, check.command)],
            "interval": f"{check.interval_seconds}s",
            "timeout": f"{check.timeout_seconds}s",
            "retries": check.retries,
            "start_period": f"{check.start_seconds}s",
            # Asked every second while it starts, so that a run does not wait longer than the service.
            "start_interval": "1s",
        },
    }
    optional: dict[str, object] = {
        "user": definition.user,
        "shm_size": None if definition.shm_mb is None else f"{definition.shm_mb}m",
        "entrypoint": None if definition.entrypoint is None else [*map(literal, definition.entrypoint)],
        "command": None if definition.command is None else [*map(literal, definition.command)],
        "environment": {key: literal(scalar(value)) for key, value in sorted(definition.environment.items())},
        "env_file": ["secret.env"] if definition.secret_environment else [],
        "ports": [
            {
                "host_ip": str(port.address),
                "published": str(port.port),
                "target": port.container_port,
                "protocol": port.protocol,
                "mode": "host",
            }
            for port in definition.ports
        ],
        "volumes": _volumes(service),
        "tmpfs": [*map(literal, definition.tmpfs)],
        "devices": [*map(literal, definition.devices)],
        "cap_add": definition.capabilities,
        "extra_hosts": {name: str(address) for name, address in sorted(definition.hosts.items())},
        "networks": {"default": {"aliases": definition.names}}
        if definition.names
        else [network.name for network in definition.networks],
    }
    entry.update({key: value for key, value in optional.items() if value not in (None, [], {})})
    return entry


def _networks(service: ContainerService) -> dict[str, dict[str, object]]:
    """Return the networks of the compose file; a service is in `default` unless it says others."""
    definition = service.definition
    if definition.networks:
        return {network.name: _network(network) for network in definition.networks}
    if definition.network is not None:
        return {"default": _network(SharedNetwork(name=definition.network))}
    return {"default": _bridged(service.name)}


def _network(network: SharedNetwork) -> dict[str, object]:
    # The first project that needs it makes it; the same words in all, so that none finds it different.
    words = {"name": f"rackwright-{network.name}", **_bridged(network.name)}
    return words | ({"internal": True} if network.internal else {})


def _bridged(name: str) -> dict[str, object]:
    return {"driver_opts": {"com.docker.network.bridge.name": bridge(name)}}


def project(service: ContainerService) -> Project:
    """Write the files of a service.

    Args:
        service: The checked service.

    Returns:
        Its files and their fingerprint, which the compose file carries as a label of the container.
    """
    definition = service.definition
    entry = _service(service)
    document: dict[str, object] = {
        "name": service.name,
        "services": {"main": entry},
        "networks": _networks(service),
    }
    named = [volume.source for volume in definition.volumes if not volume.source.startswith("/")]
    if named:
        document["volumes"] = {name: {"name": f"{service.name}_{name}"} for name in named}
    # Whoever may read the label may read the secrets themselves: both need root.
    material = json.dumps([document, definition.secret_environment, definition.secrets], sort_keys=True)
    revision = hashlib.sha256(material.encode()).hexdigest()
    entry["labels"] = {REVISION_LABEL: revision}
    text = HEADER + "---\n" + yaml.safe_dump(document, sort_keys=False, width=110)
    return Project(text, dict(definition.secret_environment), dict(definition.secrets), revision)
