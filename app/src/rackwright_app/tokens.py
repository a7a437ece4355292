"""Access tokens: JWT, HS256 and nothing else."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from enum import StrEnum

import click
import jwt

from rackwright_app.errors import UnauthorizedError
from rackwright_app.settings import Tokens, settings_or_exit

ALGORITHM = "HS256"
SUBJECT_CHARACTERS = 128
_HOUR_SECONDS = 3600
_REQUIRED = ["sub", "role", "iss", "aud", "iat", "exp", "jti"]


class Role(StrEnum):
    """What a caller may do."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True)
class Principal:
    """Who is calling.

    Attributes:
        subject: Name of the user, as the token says it.
        role: What the user may do.
        token_id: The token's own id (``jti``).
    """

    subject: str
    role: Role
    token_id: str


class TokenVerifier:
    """Checks access tokens against the keys in force."""

    def __init__(self, settings: Tokens) -> None:
        self._settings = settings
        self._keys = {key.id: key.secret.get_secret_value() for key in settings.keys}

    def verify(self, authorization: str | None) -> Principal:
        """Checks an ``Authorization`` header.

        Args:
            authorization: The header's value, None when the request carries none.

        Returns:
            The caller.

        Raises:
            UnauthorizedError: There is no token, or it does not hold; ``reason`` says why, for the metrics.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise UnauthorizedError("missing", "A bearer token is needed.")
        claims = self._claims(token)
        subject, token_id = claims["sub"], claims["jti"]
        if not isinstance(subject, str) or not subject.strip() or len(subject) > SUBJECT_CHARACTERS:
            raise UnauthorizedError("subject", "The token is not valid.")
        if not isinstance(token_id, str) or not token_id:
            raise UnauthorizedError("id", "The token is not valid.")
        try:
            role = Role(str(claims["role"]))
        except ValueError as error:
            raise UnauthorizedError("role", "The token is not valid.") from error
        return Principal(subject, role, token_id)

    def _claims(self, token: str) -> dict[str, object]:
        outcome: Exception | None = None
        for secret in self._candidates(token):
            try:
                return jwt.decode(
                    token,
                    secret,
                    algorithms=[ALGORITHM],
                    audience=self._settings.audience,
                    issuer=self._settings.issuer,
                    leeway=self._settings.leeway_seconds,
                    options={"require": _REQUIRED, "strict_aud": True},
                )
            except jwt.InvalidSignatureError as error:
                outcome = error
            except jwt.ExpiredSignatureError as error:
                raise UnauthorizedError("expired", "The token has expired.") from error
            except jwt.InvalidTokenError as error:
                raise UnauthorizedError(_reason(error), "The token is not valid.") from error
        raise UnauthorizedError("signature", "The token is not valid.") from outcome

    def _candidates(self, token: str) -> list[str]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise UnauthorizedError("malformed", "The token is not valid.") from error
        if key_id is None:
            return list(self._keys.values())
        return [self._keys[key_id]] if key_id in self._keys else []


def issue(settings: Tokens, subject: str, role: Role, lifetime_seconds: int) -> str:
    """Makes an access token, signed by the first key.

    Args:
        settings: Issuer, audience and keys.
        subject: The user's name.
        role: What the user may do.
        lifetime_seconds: Seconds until the token expires.

    Returns:
        The token in its compact form.
    """
    now = int(time.time())
    key = settings.keys[0]
    return jwt.encode(
        {
            "sub": subject,
            "role": role.value,
            "iss": settings.issuer,
            "aud": settings.audience,
            "iat": now,
            "exp": now + lifetime_seconds,
            "jti": uuid.uuid4().hex,
        },
        key.secret.get_secret_value(),
        algorithm=ALGORITHM,
        headers={"kid": key.id},
    )


@click.command("token")
@click.argument("user")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.USER.value, show_default=True
)
@click.option(
    "--hours", type=click.IntRange(1, 24 * 366), default=12, show_default=True, help="How long it holds."
)
def command(user: str, role: str, hours: int) -> None:
    """Print an access token for USER."""
    click.echo(issue(settings_or_exit().tokens, user, Role(role), hours * _HOUR_SECONDS))


def _reason(error: jwt.InvalidTokenError) -> str:
    reasons: dict[type[jwt.InvalidTokenError], str] = {
        jwt.InvalidAlgorithmError: "algorithm",
        jwt.InvalidAudienceError: "audience",
        jwt.InvalidIssuerError: "issuer",
        jwt.MissingRequiredClaimError: "claim",
        jwt.ImmatureSignatureError: "not_yet_valid",
        jwt.DecodeError: "malformed",
    }
    return reasons.get(type(error), "invalid")
