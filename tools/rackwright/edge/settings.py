"""What a site says of its edge (group_vars/all/edge.yml): types and rules."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rackwright.site.addresses import Network

_URL = re.compile(r"https?://[^\s]+")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _url(value: str) -> str:
    if value and not _URL.fullmatch(value):
        raise ValueError("it must be a URL that begins with https:// or http://")
    return value


def _proxy(value: str) -> str:
    if value.endswith("/0"):
        raise ValueError("every client could claim any address and pass the allowlists")
    return value


Url = Annotated[str, AfterValidator(_url)]
ProxyNetwork = Annotated[Network, AfterValidator(_proxy)]
Site = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class Tls(_Strict):
    """Whose certificate the edge shows.

    Attributes:
        mode: The site's own authority, files that are given, or an ACME server.
        certificate: `provided`: PEM file on the control node, the server's certificate first, then its chain.
        key: `provided`: PEM file of its key, which ansible-vault may have encrypted.
        directory: `acme`: URL of the server's directory.
        email: `acme`: contact of the account.
        authority: `acme`: PEM file of the authority of the server's own certificate; empty for the system's.
        ocsp_responder: URL whose answers are stapled; empty for none.
    """

    mode: Literal["internal_ca", "provided", "acme"] = "internal_ca"
    certificate: str = ""
    key: str = ""
    directory: Url = ""
    email: str = ""
    authority: str = ""
    ocsp_responder: Url = ""

    @model_validator(mode="after")
    def _complete(self) -> Tls:
        if self.mode == "provided" and not (self.certificate and self.key):
            missing = "certificate" if not self.certificate else "key"
            raise ValueError(
                f"mode `provided` needs certificate and key, two PEM files; {missing} is missing"
            )
        if self.mode == "acme" and not self.directory:
            raise ValueError("mode `acme` needs directory, the URL of the ACME server's directory")
        return self


class Rule(_Strict):
    """Networks of one path of one site, in place of its route's."""

    site: Site
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$")]
    networks: list[Network]


class ClientCertificates(_Strict):
    """Sites that want a client's certificate, and the PEM file of the authority that signs them."""

    sites: list[Site] = Field(default=[])
    authority: str = ""

    @model_validator(mode="after")
    def _complete(self) -> ClientCertificates:
        if self.sites and not self.authority:
            raise ValueError("sites needs authority, a PEM file: no certificate could be verified")
        return self


class Maintenance(_Strict):
    """Closes the sites with a page that says so."""

    enabled: bool = False
    message: Annotated[str, Field(pattern=r'^[^"\\$\r\n]*$', max_length=300)] = ""
    retry_seconds: Annotated[int, Field(ge=1, le=604_800)] = 600
    # `except` is a word of Python's.
    except_: list[Network] = Field(default=[], alias="except")
