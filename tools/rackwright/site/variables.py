"""The variables that a site's inventory sets: the type and the meaning of each.

Variables of single roles are in the roles' argument specs (roles/<role>/meta/argument_specs.yml).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rackwright.catalogue.egress import Egress
from rackwright.cost.settings import CostSettings
from rackwright.edge.settings import ClientCertificates, Maintenance, ProxyNetwork, Rule, Tls
from rackwright.models.store.settings import SourceSettings
from rackwright.preflight.checks import CHECKS
from rackwright.site.addresses import Address, Network
from rackwright.site.sign_in import SignInProvider

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
DOMAIN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"


def _accepted(value: str) -> str:
    check = value.rpartition(":")[2]
    if check not in CHECKS:
        near = difflib.get_close_matches(check, CHECKS, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"it must be a check of docs/preflight.md, or host:check{meant}")
    return value


def _bucket(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", value):
        raise ValueError("it must be 3 to 63 small letters, digits and -, and end and begin without -")
    return value


Accepted = Annotated[str, AfterValidator(_accepted)]
Bucket = Annotated[str, AfterValidator(_bucket)]


class Strict(BaseModel):
    """Unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Zone(Strict):
    """The part of the site's network that a zone has."""

    cidr: Network = Field(description="The zone's subnet, IPv4 or IPv6; the zones' subnets do not overlap.")


class LabSettings(Strict):
    """What only a lab has."""

    outside_cidr: Network = Field(description="The network of the hosts in no zone.")
    denied_client: Address = Field(description="An address that no allowlist holds, for the refused client.")
    gateway_octet: Annotated[int, Field(ge=1, le=254)] = Field(
        description="The last octet of the gateway's leg in every network."
    )
    closed: bool = Field(
        default=False, description="Whether nothing leads out of the lab: its networks are internal ones."
    )


class SiteVariables(Strict):
    """Every variable of a site that belongs to no single role."""

    site_name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] = Field(
        description="Short name of the site, in small letters; stands in reports and file names."
    )
    domain: Annotated[str, Field(pattern=DOMAIN)] = Field(
        description="Domain of the site's public names: api.<domain>, ai.<domain>, …"
    )
    tier: str = Field(description="Hardware tier that the site is sized for; docs/tiers.md has them.")
    tier_overrides: dict[str, Any] = Field(
        default={}, description="Parts of the tier that this site changes, laid over it key by key."
    )
    zones: Annotated[dict[str, Zone], Field(min_length=1)] = Field(
        description="Subnet of each zone: {dmz: {cidr: 10.0.10.0/24}, …}; the zones are those of zone_policy."
    )
    management_sources: Annotated[list[Network], Field(min_length=1)] = Field(
        description="Networks that hosts are administered from (SSH); without one everybody is locked out."
    )
    package_proxy: str = Field(
        default="",
        description="HTTP proxy for packages, http://<address>:<port>; empty when hosts reach a mirror.",
    )
    dns_servers: list[Address] = Field(
        default=[], description="Resolvers that the hosts may ask; none: the platform needs no names."
    )
    ntp_servers: list[Address] = Field(default=[], description="Time servers that the hosts may ask.")
    egress_allowed: list[Egress] = Field(
        default=[],
        description="What hosts may call outside besides: [{name: mirror, networks: [10.0.5.0/24], "
        "ports: [443]}], with groups for some hosts only; all else is refused.",
    )
    model_sources: list[SourceSettings] = Field(
        default=[],
        description="Where models come from, asked in this order: {kind: folder, path: /srv/bundle}, or kind "
        "mirror, ollama, huggingface, modelscope with url; docs/models.md.",
    )
    inference_engine: str = Field(
        default="",
        description="Engine of the hosts with models, of all or (in host_vars) of one: llama_cpp, ollama, "
        "vllm, …; empty: the tier's, or llama_cpp without the GPU that it needs. docs/engines/index.md",
    )
    log_store: str = Field(
        default="",
        description=(
            "Where the lines of all hosts go: elasticsearch, files (for small sites), or none. "
            "The tier's where the group log_store has a host, none elsewhere (when empty)."
        ),
    )
    log_store_daily_mb: int | None = Field(
        default=None,
        description="What the log store keeps of a day, in MB; 50 and 5 a concurrent user when left out.",
    )
    log_space_mb: int | None = Field(
        default=None,
        description="What a host's logs may take of its disk, in MB; a part of its reserve when left out.",
    )
    connection_pooler: str = Field(
        default="",
        description="What shares the database's connections among clients: pgbouncer, or none (when empty).",
    )
    vector_store: str = Field(
        default="",
        description="Where vectors are kept: pgvector (in PostgreSQL), or chroma, qdrant, milvus, weaviate "
        "on the hosts of the group vector_store; empty: the tier's if that group has a host, else pgvector "
        "(docs/stores/index.md).",
    )
    object_store: str = Field(
        default="",
        description="What serves objects as S3 on the host of the group object_store: rclone; folder, and "
        "nothing, where the group has no host (when empty; docs/stores/objects.md).",
    )
    object_store_buckets: list[Bucket] = Field(
        default=[],
        description="Buckets that the object store has beside those of the platform's own services.",
    )
    serving_previous: dict[str, Any] | None = Field(
        default=None, description="What was served before, written by `rackwright models switch`."
    )
    client_networks: Annotated[list[Network], Field(min_length=1)] = Field(
        default=list(PRIVATE_NETWORKS),
        description="Networks whose clients may use /api/ at the edge; everybody else is denied.",
    )
    edge_engine: str = Field(
        default="nginx",
        description="What the outside speaks with: nginx, haproxy or traefik (docs/edge.md).",
    )
    sign_in_provider: SignInProvider = Field(
        default=SignInProvider(),
        description="The identity provider that users sign in at: {issuer, networks, client, …}; all keys "
        "are in docs/sign-in.md.",
    )
    edge_access: dict[str, list[Network]] = Field(
        default={},
        description="Networks by the names that the catalogue's routes use, beside clients (client_networks) "
        "and admins (management_sources); a route whose list is empty is not served (docs/edge.md).",
    )
    edge_rules: list[Rule] = Field(
        default=[],
        description="Other networks for single hosts and paths: "
        "[{site: api, path: /api/rag/, networks: [10.1.0.0/16]}].",
    )
    edge_tls: Tls = Field(
        default=Tls(),
        description="The edge's certificate: {mode: internal_ca}, {mode: provided, certificate, key} or "
        "{mode: acme, directory, email, authority}; docs/edge.md.",
    )
    edge_client_certificates: ClientCertificates = Field(
        default=ClientCertificates(),
        description="Sites that want a client's certificate, and the PEM file of its authority.",
    )
    edge_trusted_proxies: list[ProxyNetwork] = Field(
        default=[], description="Load balancers before the edge, whose X-Forwarded-For is believed."
    )
    edge_cors_origins: list[str] = Field(
        default=[], description="Origins from which a browser may call the API."
    )
    edge_maintenance: Maintenance = Field(
        default=Maintenance(),
        description="Closes the edge with a page: {enabled, message, retry_seconds, except: […]}.",
    )
    host_memory_mb: Annotated[int, Field(ge=256)] | None = Field(
        default=None, description="Memory that a host's services may count on, in MB; default: what it has."
    )
    host_cpus: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Cores that a host's services may count on; default: what it has."
    )
    hardware: dict[str, Any] | None = Field(
        default=None, description="A host's hardware, written by `rackwright scan` into its host_vars."
    )
    preflight_accept: list[Accepted] = Field(
        default=[],
        description="Errors of preflight to go on in spite of: check, or host:check; say why in a comment.",
    )
    host_disk_gb: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="GB of the file system under /var/lib that a host's services may count on; default: what "
        "its scan says.",
    )
    cost: CostSettings | None = Field(
        default=None, description="The site's own numbers for `rackwright cost` (docs/cost.md)."
    )
    lab: LabSettings | None = Field(
        default=None, description="Lab only: {outside_cidr, denied_client, gateway_octet}."
    )
    lab_name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] | None = Field(
        default=None, description="Lab only: prefix of its containers, networks and directory."
    )
    lab_prefix: Annotated[str, Field(pattern=r"^\d{1,3}\.\d{1,3}$")] | None = Field(
        default=None, description="Lab only: first two octets of its networks."
    )
    lab_directory: str | None = Field(
        default=None, description="Lab only: where its keys and known hosts are; default .lab/<lab_name>."
    )


def variable_names() -> frozenset[str]:
    """Return the names of all site variables."""
    return frozenset(SiteVariables.model_fields)


def variables_table() -> str:
    """Return the table of the site's variables as Markdown, for docs/."""
    rows = ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    rows += [f"| `{name}` | {kind} | {default} | {text} |" for name, kind, default, text in _rows()]
    return "\n".join(rows) + "\n"


def _rows() -> Iterator[tuple[str, str, str, str]]:
    properties = SiteVariables.model_json_schema()["properties"]
    for name, info in SiteVariables.model_fields.items():
        default = "required" if info.is_required() else f"`{info.default!r}`"
        if info.default is None:
            default = "none"
        text = (info.description or "").replace("|", "\\|").replace("<", "&lt;")
        yield name, _type_name(properties[name]), default, text


def _type_name(schema: dict[str, object]) -> str:
    alternatives = schema.get("anyOf")
    if isinstance(alternatives, list):
        return _type_name(next(item for item in alternatives if item.get("type") != "null"))
    if "$ref" in schema or "oneOf" in schema:
        return "mapping"
    names = {"string": "text", "integer": "number", "object": "mapping", "boolean": "yes or no"}
    if schema.get("type") == "array":
        items = schema["items"]
        return f"list of {_type_name(items)}" if isinstance(items, dict) else "list"
    return names[str(schema["type"])]
