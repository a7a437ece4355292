"""Which function sizes which service of the catalogue, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rackwright.sizing.app import size_app
from rackwright.sizing.asked import Asked, Sized
from rackwright.sizing.chroma import size_chroma
from rackwright.sizing.connections import needed
from rackwright.sizing.containers import size_container
from rackwright.sizing.elasticsearch import size_elasticsearch
from rackwright.sizing.engines import size_llama_cpp, size_ollama, size_vllm
from rackwright.sizing.engines_optional import size_fastchat, size_localai
from rackwright.sizing.haproxy import size_haproxy, size_traefik
from rackwright.sizing.kibana import size_kibana
from rackwright.sizing.log_server import size_log_server
from rackwright.sizing.logstash import size_logstash
from rackwright.sizing.mariadb import size_mariadb
from rackwright.sizing.milvus import size_milvus
from rackwright.sizing.mongodb import size_mongodb
from rackwright.sizing.nginx import size_nginx
from rackwright.sizing.postgresql import PostgresqlSettings, size_postgresql
from rackwright.sizing.prometheus import size_prometheus
from rackwright.sizing.qdrant import size_qdrant
from rackwright.sizing.rclone import size_rclone
from rackwright.sizing.redis import size_redis
from rackwright.sizing.weaviate import size_weaviate

Sizer = Callable[[Asked], Sized]


def postgresql_of(asked: Asked) -> PostgresqlSettings:
    """Derive PostgreSQL's settings from what was asked.

    Args:
        asked: Options: postgresql_connections, postgresql_storage, postgresql_wal_disk_gb.
    """
    storage: Any = asked.options.get("postgresql_storage") or asked.machine.storage
    return size_postgresql(
        asked.memory_mb,
        asked.cpus,
        connections=asked.option("postgresql_connections"),
        needed_connections=needed(asked.intent, asked.hosts),
        storage=storage,
        wal_disk_gb=asked.option("postgresql_wal_disk_gb"),
        disk_gb=asked.disk_gb,
        huge_pages=not asked.machine.container,
    )


def _postgresql(asked: Asked) -> Sized:
    settings = postgresql_of(asked)
    connections = settings.parameters["max_connections"]
    return Sized(settings.parameters, settings.values(), connections=connections)


def _redis(asked: Asked) -> Sized:
    settings = size_redis(asked.memory_mb, asked.cpus, copied=asked.hosts.get("redis", 1) > 1)
    return Sized(settings.parameters, settings.values())


SIZERS: Mapping[str, Sizer] = {
    "app": size_app,
    "chroma": size_chroma,
    "elasticsearch": size_elasticsearch,
    "fastchat": size_fastchat,
    "grafana": size_container,
    "haproxy": size_haproxy,
    "kibana": size_kibana,
    "llama_cpp": size_llama_cpp,
    "localai": size_localai,
    "log_server": size_log_server,
    "logstash": size_logstash,
    "mariadb": size_mariadb,
    "milvus": size_milvus,
    "mongodb": size_mongodb,
    "nginx": size_nginx,
    "ollama": size_ollama,
    "postgresql": _postgresql,
    "prometheus": size_prometheus,
    "qdrant": size_qdrant,
    "rclone": size_rclone,
    "redis": _redis,
    "traefik": size_traefik,
    "vllm": size_vllm,
    "weaviate": size_weaviate,
}


def sizer_of(service: str, has_share: bool) -> Sizer | None:
    """Return the function that sizes a service; a container's limits for one that is not known here.

    Args:
        service: Its name in the catalogue.
        has_share: Whether it has a share of the host's memory.
    """
    if service in SIZERS:
        return SIZERS[service]
    return size_container if has_share else None
