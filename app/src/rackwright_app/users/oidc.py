"""Tokens of an identity provider, checked against the keys that it publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from rackwright_app.errors import UnauthorizedError
from rackwright_app.tokens import Principal
from rackwright_app.users.claims import name_of, role_of
from rackwright_app.users.provider import Provider
from rackwright_app.users.settings import Oidc

_REQUIRED = ("sub", "iss", "aud", "exp", "iat")


class OidcVerifier:
    """Checks tokens of one provider.

    Attributes:
        provider: The provider, to ask it for more.
    """

    def __init__(self, settings: Oidc, provider: Provider, *, leeway_seconds: int) -> None:
        self._settings = settings
        self.provider = provider
        self._leeway = leeway_seconds

    def issued(self, token: str) -> bool:
        """Says whether a token claims to be the provider's; that is checked by ``verify``."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return claims.get("iss") == self._settings.issuer

    async def verify(self, token: str) -> Principal:
        """Checks an access token.

        Raises:
            UnauthorizedError: It does not hold, or is for somebody else.
            UnavailableError: The provider's keys cannot be had.
        """
        if not self._settings.audience:
            raise UnauthorizedError("oidc", "The token is not valid.")
        claims = await self.claims(token, self._settings.audience)
        name, role = name_of(self._settings, claims), role_of(self._settings, claims)
        return Principal(name, role, str(claims.get("jti", "")))

    async def claims(self, token: str, audience: str, required: Sequence[str] = ()) -> Mapping[str, Any]:
        """Returns what a token says, once signature, issuer, audience and times are checked.

        Raises:
            UnauthorizedError: It does not hold.
            UnavailableError: The provider's keys cannot be had.
        """
        try:
            key = await self.provider.key(str(jwt.get_unverified_header(token).get("kid")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(self._settings.algorithms),
                audience=audience,
                issuer=self._settings.issuer,
                leeway=self._leeway,
                options={"require": [*_REQUIRED, *required]},
            )
        except jwt.ExpiredSignatureError as error:
            raise UnauthorizedError("expired", "The token has expired.") from error
        except jwt.PyJWTError as error:
            raise UnauthorizedError("oidc", "The token is not valid.") from error
        return claims
