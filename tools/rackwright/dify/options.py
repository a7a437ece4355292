"""What a site says of Dify: checked here, before anything is rendered."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError, model_validator

from rackwright.errors import RackwrightError

# What the api, the worker and the plugin daemon's files belong to in the release's images.
FILES_UID = 1001
HOST_NAME = r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$"
KEY = r"^[A-Za-z0-9_-]{24,}$"
SERVICES = ("api", "worker", "beat", "web", "plugin_daemon", "sandbox", "ssrf_proxy")

PortNumber = Annotated[int, Field(ge=1, le=65535)]
Key = Annotated[str, Field(pattern=KEY)]


class Strict(BaseModel):
    """A mapping in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Strict):
    """A database of the site's PostgreSQL, and the role that owns it."""

    host: IPvAnyAddress
    port: PortNumber
    name: str
    user: str
    password: Key


class Redis(Strict):
    """The site's Redis, by TLS; each of Dify's two programs has a user of its own."""

    host: IPvAnyAddress
    port: PortNumber
    user: str
    password: Key
    plugin_user: str
    plugin_password: Key


class VectorStore(Strict):
    """Where passages are searched: `kind` as the site says it, the first of `urls` where it is a service."""

    kind: str
    urls: list[str] = []
    api_key: str = ""
    replicas: Annotated[int, Field(ge=1)] = 1


class Folder(Strict):
    """Uploaded files in a directory of the host."""

    kind: Literal["folder"] = "folder"


class ObjectStore(Strict):
    """Uploaded files in a bucket of an S3 service that the host may call (`egress_allowed`)."""

    kind: Literal["s3"]
    endpoint: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{2,62}$")]
    region: str = "us-east-1"
    access_key: Annotated[str, Field(min_length=3)]
    secret_key: Annotated[str, Field(min_length=8)]
    address_style: Literal["auto", "path", "virtual"] = "path"


class Reachable(Strict):
    """What code, tools and HTTP nodes may fetch through the proxy: networks or names, and ports."""

    networks: list[str] = []
    names: list[Annotated[str, Field(pattern=r"^\.?[a-z0-9.-]+$")]] = []
    ports: Annotated[list[PortNumber], Field(min_length=1)] = [443]

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if not self.networks and not self.names:
            raise ValueError("write `networks` or `names`")
        for network in self.networks:
            ipaddress.ip_network(network)
        return self


class Secrets(Strict):
    """Keys that Dify's services show each other; all from the site's vault."""

    secret_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{42,}$")]
    # The release's limit: the page that asks for it takes no more than 30 characters.
    init_password: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,30}$")]
    sandbox_key: Key
    plugin_daemon_key: Key
    inner_api_key: Key

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        values = list(self.model_dump().values())
        if len(set(values)) != len(values):
            raise ValueError("two of the keys are the same: each must be its own")
        return self


class Limits(Strict):
    """What a container may have of its host."""

    memory_mb: Annotated[int, Field(ge=6)]
    cpus: Annotated[float, Field(gt=0)]


class Options(Strict):
    """All of it.

    Attributes:
        url: Where people reach it, `https://dify.<domain>`.
        address: The host's own, on which api, web and daemon are published for the front of the same host.
        limits: Memory and cores by service.
        pool: Connections to the database that each process keeps, at most.
        workers: Processes of the worker.
        reachable: What the proxy lets through; nothing when empty.
        signature_keys: Whether plugins signed by the site's own key are let in beside the publisher's.
        plugin_mb: Largest package of a plugin, unpacked.
        log_level: What is told in the logs.
        timezone: Of the logs.
        settings: Further variables of api and worker, by the release's own names.
    """

    url: Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+$")]
    address: IPvAnyAddress
    data_directory: str
    database: Database
    plugin_database: Database
    redis: Redis
    vector_store: VectorStore
    storage: Annotated[Folder | ObjectStore, Field(discriminator="kind")] = Folder()
    secrets: Secrets
    limits: dict[str, Limits]
    pool: Annotated[int, Field(ge=2, le=100)] = 10
    workers: Annotated[int, Field(ge=1, le=32)] = 2
    reachable: list[Reachable] = []
    signature_keys: bool = False
    plugin_mb: Annotated[int, Field(ge=1, le=1024)] = 50
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    timezone: str = "UTC"
    settings: dict[str, str] = {}

    @model_validator(mode="after")
    def _every_service_has_limits(self) -> Self:
        missing = [name for name in SERVICES if name not in self.limits]
        if missing:
            raise ValueError(f"limits: {', '.join(missing)} missing")
        return self


def parse(arguments: Mapping[str, Any]) -> Options:
    """Check what a play hands over.

    Raises:
        RackwrightError: Names every option that is wrong, with the rule; no values, for they may be secret.
    """
    try:
        return Options.model_validate(dict(arguments))
    except ValidationError as error:
        problems = [
            ".".join(map(str, problem["loc"])) + f": {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise RackwrightError(
            f"dify: {'; '.join(problems)}", hint="roles/dify/README.md has every option"
        ) from None
