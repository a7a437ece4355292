"""A part of a public site that the edge passes to a service, and the kinds of values that entries share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

# A typing mistake in a key must never pass as a value that is merely absent.
STRICT = ConfigDict(extra="forbid", strict=True)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Path = Annotated[str, Field(pattern=r"^/")]


@dataclass(frozen=True, kw_only=True)
class EdgeRoute:
    """A part of a public site that the edge passes to the service.

    Attributes:
        site: The site's name before the domain (`api` means api.<domain>).
        path: Everything that begins with it, or this path alone when `exact`.
        port: The service's port.
        access: The list of `edge_access` whose networks may use it; `everybody` for all.
        limit: Which rate limit holds: `api`, `chat`, `model`, or `none`.
        balance: How instances are chosen: by load, or by the client's address.
        websocket: Whether the connection may become a WebSocket.
        page: Whether the service sends pages of its own, with its own rules for browsers.
        log: Whether requests stand in the access log.
    """

    __pydantic_config__: ClassVar = STRICT
    site: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$")]
    port: Name
    access: Name = "clients"
    limit: Literal["api", "chat", "model", "none"] = "api"
    balance: Literal["least_conn", "ip_hash"] = "least_conn"
    exact: bool = False
    websocket: bool = False
    page: bool = False
    log: bool = True
