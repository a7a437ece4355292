"""The identity provider, as it is asked: what it publishes, and what it gives for a code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote_plus

import httpx
import jwt
import structlog
from pydantic import BaseModel, StringConstraints, ValidationError, ValidationInfo, field_validator

from rackwright_app.errors import UnauthorizedError, UnavailableError
from rackwright_app.users.settings import Oidc, OidcClient

Endpoint = Annotated[str, StringConstraints(pattern=r"^https://[^/?#\s]+\S*$")]
_FRESH_SECONDS = 600
# Whoever sends tokens with made-up key ids must not make us ask the provider each time.
_ASK_AGAIN_SECONDS = 30
_ANSWER_SECONDS = 5
# While it is away, at most one request in so long waits for it.
_AWAY_SECONDS = 5
_log = structlog.get_logger(__name__)


class Metadata(BaseModel):
    """What a provider says of itself (OpenID Connect Discovery 1.0, RFC 9207)."""

    issuer: str
    authorization_endpoint: Endpoint
    token_endpoint: Endpoint
    jwks_uri: Endpoint
    userinfo_endpoint: Endpoint | None = None
    end_session_endpoint: Endpoint | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @field_validator("issuer")
    @classmethod
    def _the_one_that_was_asked(cls, value: str, info: ValidationInfo) -> str:
        if value != (info.context or {}).get("issuer"):
            raise ValueError("it is another issuer than the one that is configured")
        return value


class Provider:
    """One provider; what it publishes is kept for ten minutes, and longer while it is away."""

    def __init__(self, settings: Oidc, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._metadata: Metadata | None = None
        self._tells_again_at = float("-inf")
        self._telling = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        # From when all keys are asked for anew, and from when for one that is not among them.
        self._keys_stale_at = self._keys_again_at = float("-inf")
        self._lock = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Returns what the provider says of itself.

        Raises:
            UnavailableError: It does not answer, or speaks for another issuer.
        """
        async with self._telling:
            if time.monotonic() >= self._tells_again_at:
                await self._ask_for_metadata()
        if self._metadata is None:
            raise UnavailableError("identity_provider")
        return self._metadata

    async def key(self, key_id: str) -> jwt.PyJWK:
        """Returns one of the keys that the provider publishes.

        Raises:
            UnauthorizedError: It publishes none of that id.
            UnavailableError: Its keys cannot be had.
        """
        async with self._lock:
            due = self._keys_stale_at if key_id in self._keys else self._keys_again_at
            if time.monotonic() >= due:
                await self._ask_for_keys()
        if not self._keys:
            raise UnavailableError("identity_provider")
        if key_id not in self._keys:
            raise UnauthorizedError("signature", "The token is not valid.")
        return self._keys[key_id]

    async def tokens(self, client: OidcClient, code: str, verifier: str) -> Mapping[str, Any]:
        """Exchanges a code for tokens.

        Raises:
            UnauthorizedError: The provider refuses it.
            UnavailableError: The provider is away.
        """
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        secret = client.secret.get_secret_value()
        basic: httpx.Auth = httpx.Auth()
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # RFC 6749, 2.3.1: each is encoded as in a form first.
            basic = httpx.BasicAuth(quote_plus(client.id), quote_plus(secret))
        else:
            form |= {"client_id": client.id, "client_secret": secret}
        url, options = self._where(metadata.token_endpoint)
        try:
            answer = await self._client.post(url, data=form, auth=basic, timeout=_ANSWER_SECONDS, **options)
            if answer.is_client_error:
                raise UnauthorizedError("code", "The identity provider did not accept the code.")
            return _object(answer)
        except (httpx.HTTPError, TypeError, ValueError) as error:
            self._away("tokens", error)
            raise UnavailableError("identity_provider") from error

    async def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """Returns what the provider tells about the owner of a token; nothing where it has no such place.

        Raises:
            UnavailableError: It does not answer.
        """
        url = (await self.metadata()).userinfo_endpoint
        if url is None:
            return {}
        try:
            return await self._get(url, {"Authorization": f"Bearer {access_token}"})
        except (httpx.HTTPError, TypeError, ValueError) as error:
            self._away("userinfo", error)
            raise UnavailableError("identity_provider") from error

    async def _ask_for_metadata(self) -> None:
        url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        fresh_seconds = _FRESH_SECONDS
        try:
            self._metadata = Metadata.model_validate(
                await self._get(url), context={"issuer": self._settings.issuer}
            )
        except (httpx.HTTPError, TypeError, ValueError) as error:
            self._away("metadata", error, kept=self._metadata)
            fresh_seconds = _AWAY_SECONDS
        self._tells_again_at = time.monotonic() + fresh_seconds

    async def _ask_for_keys(self) -> None:
        url = self._settings.jwks_url or (await self.metadata()).jwks_uri
        fresh_seconds, again_seconds = _FRESH_SECONDS, _ASK_AGAIN_SECONDS
        try:
            found = jwt.PyJWKSet.from_dict(dict(await self._get(url))).keys
            self._keys = {str(key.key_id): key for key in found}
        except (httpx.HTTPError, TypeError, ValueError, jwt.PyJWTError) as error:
            self._away("keys", error, kept=self._keys)
            fresh_seconds = again_seconds = _AWAY_SECONDS
        now = time.monotonic()
        self._keys_stale_at, self._keys_again_at = now + fresh_seconds, now + again_seconds

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        where, options = self._where(url)
        options["headers"] |= headers or {}
        return _object((await self._client.get(where, timeout=_ANSWER_SECONDS, **options)).raise_for_status())

    def _where(self, url: str) -> tuple[httpx.URL, dict[str, Any]]:
        """Returns where to connect, with the name that is spoken to and that the certificate must have."""
        asked = httpx.URL(url)
        if self._settings.address is None or asked.host != httpx.URL(self._settings.issuer).host:
            return asked, {"headers": {}}
        options = {"headers": {"Host": asked.netloc.decode()}, "extensions": {"sni_hostname": asked.host}}
        return asked.copy_with(host=str(self._settings.address)), options

    @staticmethod
    def _away(what: str, error: Exception, kept: object = None) -> None:
        reason = f"{len(error.errors())} fields" if isinstance(error, ValidationError) else str(error)
        _log.warning(
            "identity provider not understood or away",
            asked_for=what,
            reason=f"{type(error).__name__}: {reason[:200]}",
            earlier_answer_serves=bool(kept),
        )


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    found = answer.raise_for_status().json()
    if not isinstance(found, dict):
        raise TypeError("the answer is no object")
    return found
