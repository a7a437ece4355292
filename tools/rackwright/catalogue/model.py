"""What services.yml and zones.yml may hold: frozen dataclasses, filled by pydantic in strict mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import Field, Tag

from rackwright.catalogue.health import Health
from rackwright.catalogue.log_model import Logs
from rackwright.catalogue.nothing import NoneOr, Nothing
from rackwright.catalogue.route import STRICT, EdgeRoute, Name, Path, PortNumber

CallerText = Annotated[str, Field(pattern=r"^(any|management|(group|service):[a-z][a-z0-9_]*)$")]


@dataclass(frozen=True)
class Caller:
    """Who may call a port: `any`, `management`, a `group` or a `service` (these two have a name)."""

    kind: Literal["any", "management", "group", "service"]
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Caller:
        """Return the caller that `any`, `management`, `group:<name>` or `service:<name>` means."""
        kind, _, name = text.partition(":")
        match kind:
            case "any" | "management" | "group" | "service":
                return cls(kind, name)
            case _:
                raise ValueError(text)


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port that a service listens on, and who may call it.

    Attributes:
        port: The number on the host.
        callers: See `Caller`; everybody else is denied by the host's firewall.
        protocol: tcp or udp.
        tls: Whether it speaks TLS; the service then needs a certificate.
        container_port: The number inside the container, where the service is one.
        loopback: Whether it is on the loopback alone, for the service itself; then nobody is a caller.
        further: How many ports above it belong to further instances of the service; they are called
            `<name>_1`, `<name>_2` and so on, and all else is the same.
    """

    __pydantic_config__: ClassVar = STRICT
    port: PortNumber
    callers: tuple[CallerText, ...]
    protocol: Literal["tcp", "udp"] = "tcp"
    tls: bool = False
    container_port: PortNumber | None = None
    loopback: bool = False
    further: Annotated[int, Field(ge=0, le=63)] = 0


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Where Prometheus scrapes the service, and which secret it shows as a bearer token, if one is wanted."""

    __pydantic_config__: ClassVar = STRICT
    port: Name
    path: Path
    scheme: Literal["http", "https"]
    bearer: Name | None = None


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The numbers of this service are those of another one: its exporter, which runs beside it."""

    __pydantic_config__: ClassVar = STRICT
    exporter: Name


@dataclass(frozen=True, kw_only=True)
class PostgresqlState:
    """Databases that a backup dumps."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["postgresql"]
    databases: tuple[Name, ...]


@dataclass(frozen=True, kw_only=True)
class RedisState:
    """A directory with Redis' snapshot and append-only file."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["redis"]
    directory: Path


@dataclass(frozen=True, kw_only=True)
class MariadbState:
    """The data directory of MariaDB, which is copied while the server runs."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["mariadb"]
    directory: Path


@dataclass(frozen=True, kw_only=True)
class MongodbState:
    """The databases of MongoDB, which its own program copies while it runs."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["mongodb"]


@dataclass(frozen=True, kw_only=True)
class FilesState:
    """Files and directories that are copied while the unit stands still.

    `stop` is a systemd unit, `container:<name>`, or `none` for files that are
    replaced and never written in place.
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["files"]
    paths: Annotated[tuple[Path, ...], Field(min_length=1)]
    stop: Annotated[str, Field(pattern=r"^(none|[\w@.:-]+\.(service|socket|target)|container:[\w.-]+)$")] = (
        "none"
    )


@dataclass(frozen=True, kw_only=True)
class QdrantState:
    """Collections that Qdrant makes snapshots of, through its REST port (a name of the service's ports)."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["qdrant"]
    port: Name


@dataclass(frozen=True, kw_only=True)
class VectorsState:
    """Files of a vector store that has no snapshots of its own, and how its entries are counted.

    `door` is the unit before it, a socket and a service of this name: behind a closed door its entries are
    counted through its own `port` in clear, and the files are copied while the container stands still.
    `dialect` is its API.
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["vectors"]
    dialect: Literal["milvus", "weaviate"]
    port: Name
    paths: Annotated[tuple[Path, ...], Field(min_length=1)]
    stop: Annotated[str, Field(pattern=r"^container:[\w.-]+$")]
    door: Annotated[str, Field(pattern=r"^[\w-]+$")]


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Who owns the service's key on the host.

    `names: edge` adds the site's public names; with `client` it is shown to servers, too, who so know the
    caller.
    """

    __pydantic_config__: ClassVar = STRICT
    owner: str
    group: str
    names: Literal["edge"] | None = None
    client: bool = False


@dataclass(frozen=True, kw_only=True)
class SharedCertificate:
    """The certificate of another service of the same host, which runs as the same account."""

    __pydantic_config__: ClassVar = STRICT
    of: Name


@dataclass(frozen=True, kw_only=True)
class MemoryShare:
    """What the service asks of its host's memory: a weight among its neighbours, and a minimum in MB."""

    __pydantic_config__: ClassVar = STRICT
    weight: Annotated[int, Field(ge=1)]
    minimum_mb: Annotated[int, Field(ge=1)]


MetricsOrNone = Annotated[
    Annotated[Nothing, Tag("~none")]
    | Annotated[Exported, Tag("~exporter")]
    | Annotated[Metrics, Tag("~data")],
    NoneOr,
]
AnyCertificate = Annotated[
    Annotated[SharedCertificate, Tag("~of")] | Annotated[Certificate, Tag("~data")], NoneOr
]
StateKinds = Annotated[
    PostgresqlState | MariadbState | MongodbState | RedisState | FilesState | QdrantState | VectorsState,
    Field(discriminator="kind"),
]
StateOrNone = Annotated[Annotated[Nothing, Tag("~none")] | Annotated[StateKinds, Tag("~data")], NoneOr]


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service of the platform, as services.yml says it. Every key without a default must be there.

    Attributes:
        title: For people.
        group: The inventory group whose hosts run it.
        role: The role that installs it.
        ports: By name; empty for what does not listen.
        health: How it is asked whether it works.
        metrics: Where it is scraped, which exporter tells of it, or none with the reason.
        logs: Where its logs are, or none with the reason.
        state: What a backup must hold, or none with the reason.
        unit: Its systemd unit, or
        container: its container.
        memory: Its share of the host; without it it lives in the system's reserve.
        certificate: Whether and for whom it has a key and a certificate.
        packages: What of the distribution it needs beside its role's own packages.
        when: It runs on those hosts of its group where each of these variables has this value; without
            it on all of them. `inference_engine` is a host's own, what `choices` names is the site's.
        edge: What of the public sites the edge passes to it.
    """

    __pydantic_config__: ClassVar = STRICT
    title: str
    group: Name
    role: Name
    ports: dict[Name, Port]
    health: Health
    metrics: MetricsOrNone
    logs: Logs
    state: StateOrNone
    unit: str | None = None
    container: str | None = None
    memory: MemoryShare | None = None
    certificate: AnyCertificate | None = None
    packages: tuple[str, ...] = ()
    when: dict[Name, Name] = field(default_factory=dict)
    edge: tuple[EdgeRoute, ...] = ()

    def selected(self, values: Mapping[str, str]) -> bool:
        """Tell whether it runs where its group is, for the values that the variables have there."""
        return all(values.get(variable) == value for variable, value in self.when.items())


@dataclass(frozen=True, kw_only=True)
class ZonePolicy:
    """What a zone is for, and which zones its hosts may call.

    `reached_from_outside` marks the zones whose ports may have `any` as a caller.
    """

    __pydantic_config__: ClassVar = STRICT
    title: str
    description: str
    may_call: tuple[Name, ...] = field(default=())
    reached_from_outside: bool = False
