"""Access tokens of an identity provider, checked against the keys that it publishes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import jwt
import structlog

from rackwright_app.errors import UnauthorizedError, UnavailableError
from rackwright_app.tokens import SUBJECT_CHARACTERS, Principal, Role
from rackwright_app.users.settings import Oidc

_KEYS_FRESH_SECONDS = 600
# Whoever sends tokens with made-up key ids must not make us ask the provider each time.
_ASK_AGAIN_SECONDS = 30
_REQUIRED = ["sub", "iss", "aud", "exp", "iat"]
_log = structlog.get_logger(__name__)


class OidcVerifier:
    """Checks tokens of one provider."""

    def __init__(self, settings: Oidc, client: httpx.AsyncClient, *, leeway_seconds: int) -> None:
        self._settings = settings
        self._client = client
        self._leeway = leeway_seconds
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    def issued(self, token: str) -> bool:
        """Says whether a token claims to be the provider's; that is checked by ``verify``."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return claims.get("iss") == self._settings.issuer

    async def verify(self, token: str) -> Principal:
        """Checks a token.

        Raises:
            UnauthorizedError: It does not hold.
            UnavailableError: The provider's keys cannot be had.
        """
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=list(self._settings.algorithms),
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=self._leeway,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise UnauthorizedError("expired", "The token has expired.") from error
        except jwt.PyJWTError as error:
            raise UnauthorizedError("oidc", "The token is not valid.") from error
        subject = str(claims.get("preferred_username") or claims["sub"])
        if not subject.strip() or len(subject) > SUBJECT_CHARACTERS:
            raise UnauthorizedError("subject", "The token is not valid.")
        roles = claims.get(self._settings.role_claim, [])
        admin = self._settings.admin_role in (roles if isinstance(roles, list) else [roles])
        # Users of the provider are others than the app's own of the same name.
        return Principal(f"oidc:{subject}", Role.ADMIN if admin else Role.USER, str(claims.get("jti", "")))

    async def _key(self, key_id: str) -> jwt.PyJWK:
        async with self._lock:
            age = time.monotonic() - self._asked_at
            if age > _KEYS_FRESH_SECONDS or (key_id not in self._keys and age > _ASK_AGAIN_SECONDS):
                await self._ask()
        if key_id not in self._keys:
            raise UnauthorizedError("signature", "The token is not valid.")
        return self._keys[key_id]

    async def _ask(self) -> None:
        try:
            answer = await self._client.get(str(self._settings.jwks_url), timeout=5)
            found = jwt.PyJWKSet.from_dict(answer.raise_for_status().json()).keys
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            _log.warning("keys of the identity provider not had", reason=type(error).__name__)
            if not self._keys:
                raise UnavailableError("identity_provider") from error
            return
        self._keys = {str(key.key_id): key for key in found}
        self._asked_at = time.monotonic()
