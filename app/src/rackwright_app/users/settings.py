"""How users sign in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, PositiveInt

from rackwright_app.section import Section


class SignIn(Section):
    """Users with a password of the app's own."""

    access_minutes: Annotated[int, Field(ge=1, le=60)] = 15
    refresh_hours: Annotated[int, Field(ge=1, le=720)] = 12
    """After so long without the page the password is asked for again."""
    secure_cookie: bool = True
    """False only where no TLS stands before the app (tests)."""
    tries: PositiveInt = 10
    """Failed tries of one user, and twice as many of one address, within a quarter of an hour."""


class Oidc(Section):
    """An identity provider whose access tokens count as well."""

    issuer: str
    audience: str
    jwks_url: AnyHttpUrl
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = ("RS256",)
    ca: Path | None = None
    role_claim: str = "roles"
    admin_role: str = "rackwright-admin"
