"""The definitions of Dify's containers, as `container_service` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rackwright.dify.environment import CA, PUBLIC_KEY, backend, plugin_daemon, sandbox, web
from rackwright.dify.options import FILES_UID, Folder, Options
from rackwright.dify.squid import configuration
from rackwright.dify.stores import Told

Definition = dict[str, Any]

# Containers by service; on their networks each is found by its name.
NAMES: Mapping[str, str] = {
    "api": "dify-api",
    "worker": "dify-worker",
    "beat": "dify-beat",
    "web": "dify-web",
    "plugin_daemon": "dify-plugin-daemon",
    "sandbox": "dify-sandbox",
    "ssrf_proxy": "dify-ssrf-proxy",
}
# In this order: what others ask when they start comes first.
ORDER = ("ssrf_proxy", "sandbox", "plugin_daemon", "api", "worker", "beat", "web")
PORTS: Mapping[str, int] = {"api": 5001, "web": 3000, "plugin_daemon": 5002}
MIGRATION = "dify-migration"
# The site's authority and the key of plugins on the host.
HOST_CA = "/etc/rackwright/tls/ca.pem"
HOST_PUBLIC_KEY = "/etc/rackwright/dify/plugin-signature.pem"
# The account of Squid in Debian's and Ubuntu's packages.
PROXY_UID = 13
_OPEN = {"name": "dify"}
# Nothing leads out of it: who runs code that anybody wrote reaches the proxy, and who asks it to.
_CLOSED = {"name": "dify-inside", "internal": True}


def _asked(url: str) -> list[str]:
    return ["curl", "--fail", "--silent", "--output", "/dev/null", url]


def _backend(options: Options, mode: str) -> Definition:
    told = backend(options, mode)
    volumes: list[Definition] = [{"source": HOST_CA, "target": CA}]
    if isinstance(options.storage, Folder) and mode in ("api", "worker"):
        volumes.append(
            {"source": f"{options.data_directory}/storage", "target": "/app/api/storage", "read_only": False}
        )
    return _told(told) | {
        "user": f"{FILES_UID}:{FILES_UID}",
        "volumes": volumes,
        "networks": [_OPEN, _CLOSED],
        # The release's images write beside their volumes; what they write there is gone with the container.
        "read_only": False,
        "stop_seconds": 60,
        "pids": 1024,
    }


def _told(told: Told) -> Definition:
    return {"environment": told.environment, "secret_environment": told.secret}


def _published(options: Options, service: str) -> list[Definition]:
    return [
        {"address": str(options.address), "port": PORTS[service], "container_port": PORTS[service]},
    ]


def _api(options: Options) -> Definition:
    return _backend(options, "api") | {
        "ports": _published(options, "api"),
        "healthcheck": {"command": _asked("http://127.0.0.1:5001/health"), "start_seconds": 120},
    }


def _worker(options: Options) -> Definition:
    ping = ["celery", "-A", "celery_healthcheck.celery", "inspect", "ping"]
    return _backend(options, "worker") | {
        "healthcheck": {
            "command": ping,
            "interval_seconds": 60,
            "timeout_seconds": 30,
            "start_seconds": 120,
        },
    }


def _beat(options: Options) -> Definition:
    # It answers nobody; it is what runs in the container, or nothing does.
    return _backend(options, "beat") | {
        "healthcheck": {"command": ["grep", "-qa", "beat", "/proc/1/cmdline"]},
        "networks": [_OPEN],
    }


def _web(options: Options) -> Definition:
    ask = "fetch('http://127.0.0.1:3000/').then(a=>process.exit(a.status<500?0:1),()=>process.exit(1))"
    return {
        "environment": web(options),
        "ports": _published(options, "web"),
        "networks": [_OPEN],
        "read_only": False,
        "healthcheck": {"command": ["node", "-e", ask], "start_seconds": 90, "timeout_seconds": 10},
    }


def _plugin_daemon(options: Options) -> Definition:
    volumes: list[Definition] = [
        {"source": HOST_CA, "target": CA},
        {"source": f"{options.data_directory}/plugins", "target": "/app/storage", "read_only": False},
    ]
    if options.signature_keys:
        volumes.append({"source": HOST_PUBLIC_KEY, "target": PUBLIC_KEY})
    return _told(plugin_daemon(options)) | {
        "ports": _published(options, "plugin_daemon"),
        "volumes": volumes,
        "networks": [_OPEN],
        "read_only": False,
        "pids": 2048,
        "stop_seconds": 60,
        "healthcheck": {"command": _asked("http://127.0.0.1:5002/health/check"), "start_seconds": 120},
    }


def _sandbox(options: Options) -> Definition:
    return _told(sandbox(options)) | {
        "networks": [_CLOSED],
        "volumes": [
            {"source": f"{options.data_directory}/sandbox/dependencies", "target": "/dependencies"},
            {"source": f"{options.data_directory}/sandbox/conf", "target": "/conf", "read_only": False},
        ],
        "read_only": False,
        # It locks each program in a directory and gives it an account of its own.
        "capabilities": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "SYS_CHROOT"],
        "healthcheck": {"command": _asked("http://127.0.0.1:8194/health"), "start_seconds": 60},
    }


def _ssrf_proxy(options: Options) -> Definition:
    return {
        "entrypoint": ["/usr/sbin/squid"],
        "command": ["-N", "-f", "/run/secrets/squid.conf"],
        "secrets": {"squid.conf": configuration(options.reachable)},
        "user": f"{PROXY_UID}:{PROXY_UID}",
        "networks": [_OPEN, _CLOSED],
        "tmpfs": ["/tmp", "/var/spool/squid", "/var/log/squid"],  # noqa: S108 - in the container
        "healthcheck": {"command": ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3128"], "start_seconds": 30},
    }


_MAKERS = {
    "api": _api,
    "worker": _worker,
    "beat": _beat,
    "web": _web,
    "plugin_daemon": _plugin_daemon,
    "sandbox": _sandbox,
    "ssrf_proxy": _ssrf_proxy,
}


def _limited(options: Options, service: str, definition: Definition) -> Definition:
    limits = options.limits[service]
    return definition | {"memory_mb": limits.memory_mb, "cpus": limits.cpus}


def containers(options: Options) -> list[dict[str, Any]]:
    """Return `{service, name, definition}` of every container, in the order in which they are started."""
    return [
        {
            "service": service,
            "name": NAMES[service],
            "definition": _limited(options, service, _MAKERS[service](options)),
        }
        for service in ORDER
    ]


def migration(options: Options) -> dict[str, Any]:
    """Return `{name, definition}` of the container that brings the database to the image's version."""
    definition = _backend(options, "migration") | {"healthcheck": {"command": ["true"]}, "networks": [_OPEN]}
    return {"name": MIGRATION, "definition": _limited(options, "api", definition)}
