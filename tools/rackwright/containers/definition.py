"""What a service may say of its container; everything that would weaken a host is refused here."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    ValidationError,
    model_validator,
)

from rackwright.errors import RackwrightError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
PINNED_REFERENCE = re.compile(r"[a-z0-9][^\s@]*@sha256:[0-9a-f]{64}")
NUMERIC_USER = re.compile(r"\d+:\d+")
SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _absolute(path: str) -> str:
    if not path.startswith("/") or "/../" in f"{path}/" or ":" in path:
        raise ValueError("must be an absolute path without `..` and `:`")
    return path


def _published(address: IPvAnyAddress) -> IPvAnyAddress:
    if ipaddress.ip_address(str(address)).is_unspecified:
        raise ValueError("would publish the port to every network; write the host's zone address")
    return address


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Scalar = str | int | float | bool


class Strict(BaseModel):
    """A mapping in which a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Image(Strict):
    """The image, pinned by its content.

    Attributes:
        name: What people call it, `name:tag`; or `registry/name@sha256:…`, which is pulled.
        archive: Path on the host of the archive (`docker save`) that holds it.
        image_id: `sha256:` and the digest of the image's configuration.
        sha256: Checksum of the archive; who brings the archive checks it.
    """

    name: str
    archive: AbsolutePath | None = None
    image_id: Annotated[str, Field(pattern=f"^{IMAGE_ID.pattern}$")] | None = None
    sha256: str | None = None

    @model_validator(mode="after")
    def _is_pinned(self) -> Self:
        if self.image_id is None and not PINNED_REFERENCE.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is a tag, and a tag may name another image tomorrow; "
                "give image_id (of an archive) or name@sha256:<digest> (of a registry)"
            )
        return self

    @property
    def reference(self) -> str:
        """What Docker is asked for: the id of the image, or its pinned name in a registry."""
        return self.image_id or self.name


class Port(Strict):
    """A port published on one address of the host."""

    address: Annotated[IPvAnyAddress, AfterValidator(_published)]
    port: PortNumber
    container_port: PortNumber
    protocol: Literal["tcp", "udp"] = "tcp"


class Volume(Strict):
    """A path of the host, or a named volume, in the container. Writable only when that is said."""

    source: str
    target: AbsolutePath
    read_only: bool = True

    @model_validator(mode="after")
    def _source_is_path_or_name(self) -> Self:
        if self.source.startswith("/"):
            _absolute(self.source)
        elif not NAME.fullmatch(self.source):
            raise ValueError(f"source {self.source!r} is neither an absolute path nor a volume's name")
        if self.source.rstrip("/").endswith("docker.sock"):
            raise ValueError("Docker's socket in a container is root on the host; it is never mounted")
        return self


class Healthcheck(Strict):
    """How Docker asks the container whether it serves. Times in seconds.

    Attributes:
        command: Program and arguments, run in the container; exit status 0 means healthy.
        start_seconds: How long failures do not count after a start.
    """

    command: Annotated[list[str], Field(min_length=1)]
    interval_seconds: Annotated[int, Field(ge=1)] = 30
    timeout_seconds: Annotated[int, Field(ge=1)] = 5
    retries: Annotated[int, Field(ge=1)] = 3
    start_seconds: Annotated[int, Field(ge=0)] = 60


class SharedNetwork(Strict):
    """A network of the host that several containers are in; there each is found by its name.

    Attributes:
        name: Its name.
        internal: Nothing leads out of it: who is in no other network reaches its neighbours alone.
    """

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    internal: bool = False


class Definition(Strict):
    """How the container runs. Memory in MB of 2**20 bytes, CPUs in cores.

    Attributes:
        environment: Variables that anybody on the host may see.
        secret_environment: Variables kept in a file of mode 0600; `docker inspect` still shows them to root,
            so a program that can read a file is better given `secrets`.
        secrets: Name to content; each is the file /run/secrets/<name> in the container, readable by `user`.
        user: `uid:gid` in numbers; the image's own user when left out.
        capabilities: Added to none at all.
        devices: Passed as they are, CDI names of GPUs included.
        shm_mb: Memory that its processes may share by /dev/shm, out of memory_mb; Docker's 64 MB if not said.
        hosts: Names that resolve in the container, with their addresses; hosts need no DNS.
        network: Name of a network that it shares with others of the host: there each is found by its name;
            one of its own when left out.
        networks: The same for a container that is in several, or in one that nothing leads out of; the
            first is asked first for names.
        names: Further names by which it is found in `network`, such as those of its certificate.
    """

    command: list[str] | None = None
    entrypoint: list[str] | None = None
    environment: dict[str, Scalar] = {}
    secret_environment: dict[str, str] = {}
    secrets: dict[str, str] = {}
    ports: list[Port] = []
    volumes: list[Volume] = []
    tmpfs: list[AbsolutePath] = []
    devices: list[str] = []
    hosts: dict[str, IPvAnyAddress] = {}
    network: Annotated[str, Field(pattern=f"^{NAME.pattern}$")] | None = None
    networks: list[SharedNetwork] = []
    names: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]] = []
    healthcheck: Healthcheck
    memory_mb: Annotated[int, Field(ge=6)]
    cpus: Annotated[float, Field(gt=0)]
    pids: Annotated[int, Field(ge=1)] = 512
    shm_mb: Annotated[int, Field(ge=1)] | None = None
    user: Annotated[str, Field(pattern=f"^{NUMERIC_USER.pattern}$")] | None = None
    read_only: bool = True
    capabilities: list[Annotated[str, Field(pattern=r"^[A-Z_]+$")]] = []
    stop_seconds: Annotated[int, Field(ge=1)] = 30
    log_max_mb: Annotated[int, Field(ge=1)] = 10
    log_files: Annotated[int, Field(ge=1)] = 5

    @model_validator(mode="after")
    def _secrets_can_be_read(self) -> Self:
        for name in self.secrets:
            if not SECRET_NAME.fullmatch(name):
                raise ValueError(f"secrets: {name!r} must be a plain file name")
        if self.secrets and self.user is None:
            raise ValueError(
                "secrets need `user` in numbers, for the files belong to it and are closed to others"
            )
        taken = [(str(port.address), port.port, port.protocol) for port in self.ports]
        if len(taken) != len(set(taken)):
            raise ValueError("ports: the same address and port is published twice")
        return self

    @model_validator(mode="after")
    def _networks_are_told_once(self) -> Self:
        names = [network.name for network in self.networks]
        if self.network is not None and names:
            raise ValueError("write `network` or `networks`, not both")
        if len(names) != len(set(names)):
            raise ValueError("networks: a name is there twice")
        if self.ports and names and all(network.internal for network in self.networks):
            raise ValueError("ports: nothing leads into a container whose networks are all internal")
        if self.names and self.network is None:
            raise ValueError("names: others find it by them in a `network` that it shares")
        return self


class ContainerService(Strict):
    """One container that the host keeps running."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    image: Image
    definition: Definition


def parse(arguments: dict[str, object]) -> ContainerService:
    """Check a service's own words.

    Args:
        arguments: name, image and definition as a play gives them.

    Returns:
        The checked service.

    Raises:
        RackwrightError: Names every option that is wrong, with the rule; no values, for they may be secret.
    """
    try:
        return ContainerService.model_validate(arguments)
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            place = ".".join(str(part) for part in problem["loc"])
            problems.append(f"{place or 'arguments'}: {problem['msg'].removeprefix('Value error, ')}")
        name = arguments.get("name", "?")
        raise RackwrightError(
            f"container_service {name}: " + "; ".join(problems), hint="docs/containers.md lists every option"
        ) from None
