"""How a service is asked whether it works: the key `health` of services.yml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rackwright.catalogue.route import STRICT, Name, Path


@dataclass(frozen=True, kw_only=True)
class TcpHealth:
    """Healthy when the port accepts a connection."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["tcp"]
    port: Name


@dataclass(frozen=True, kw_only=True)
class HttpHealth:
    """Healthy when the path answers with the status, and with the text when one is named.

    `host` is the site's name that the request is for (`api` means api.<domain>).
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["http", "https"]
    port: Name
    path: Path
    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: str | None = None
    host: Name | None = None


@dataclass(frozen=True, kw_only=True)
class StoreHealth:
    """Healthy when the store answers a question in its own protocol."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["postgresql", "mariadb", "mongodb", "redis"]
    port: Name


@dataclass(frozen=True, kw_only=True)
class UnitHealth:
    """Healthy when the systemd unit is active; for what has no port."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["unit"]
    unit: str


@dataclass(frozen=True, kw_only=True)
class ContainerHealth:
    """Healthy when Docker says so of the service's container; for what publishes no port."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["container"]


@dataclass(frozen=True, kw_only=True)
class JobsHealth:
    """Healthy when the host's jobs of these kinds ended well and none is overdue."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["jobs"]
    actions: tuple[Name, ...]


HealthKinds = TcpHealth | HttpHealth | StoreHealth | UnitHealth | ContainerHealth | JobsHealth
Health = Annotated[HealthKinds, Field(discriminator="kind")]
