"""How users sign in."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, SecretStr, StringConstraints, field_validator

from rackwright_app.section import Section

Https = Annotated[str, StringConstraints(pattern=r"^https://[^/?#\s]+[^?#\s]*$", max_length=500)]


class SignIn(Section):
    """Users with a password of the app's own, and how long a page stays signed in."""

    password: bool = True
    """False: the page signs in at the identity provider alone."""
    access_minutes: Annotated[int, Field(ge=1, le=60)] = 15
    refresh_hours: Annotated[int, Field(ge=1, le=720)] = 12
    """After so long without the page the password is asked for again."""
    secure_cookie: bool = True
    """False only where no TLS stands before the app (tests)."""
    tries: PositiveInt = 10
    """Failed tries of one user, and twice as many of one address, within a quarter of an hour."""


class OidcClient(Section):
    """What this service is to the identity provider, so that its page can sign in there."""

    id: Annotated[str, Field(min_length=1, max_length=256)]
    secret: SecretStr
    redirect_uri: Https
    """Where the provider sends the browser back to: the page's address and ``/api/auth/oidc/callback``."""
    scopes: tuple[str, ...] = ("openid", "profile")
    hours: Annotated[int, Field(ge=1, le=168)] = 12
    """After so long the provider is asked again, however busy the page is: it may have shut the user out."""

    @field_validator("secret")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value():
            raise ValueError("a client without a secret could be anybody")
        return value

    @field_validator("scopes")
    @classmethod
    def _openid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("without the scope openid a provider says nothing of who signed in")
        return value


class Oidc(Section):
    """An identity provider: its access tokens count by ``audience``, the page signs in by ``client``."""

    issuer: Https
    audience: str = ""
    jwks_url: Https | None = None
    """Where its keys are, if not where its discovery document says."""
    address: IPv4Address | IPv6Address | None = None
    """Where it is, for hosts that ask no resolver; its certificate is checked against its name."""
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = ("RS256",)
    ca: Path | None = None
    user_claim: str = "preferred_username"
    """What users are called here; without it they go by ``sub``."""
    role_claim: str = "roles"
    """A list, or one value; ``realm_access.roles`` leads into an object."""
    roles: Mapping[str, Literal["user", "admin"]] = Field(default={"rackwright-admin": "admin"})
    others: Literal["user", "none"] = "user"
    """What those are who have none of the roles; none: they get in nowhere."""
    client: OidcClient | None = None
