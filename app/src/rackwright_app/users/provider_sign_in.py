"""Signing in at the identity provider: the authorization code flow with PKCE, for a page.

The page never holds a token of the provider's. What is begun is kept in Redis under the digest of ``state``,
is taken out by the first answer, and belongs to the browser that has the cookie: an answer that comes again,
comes from somewhere else, or that somebody was lured to with another's code, finds nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import httpx
import psycopg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from rackwright_app import metrics
from rackwright_app.database.users import User, Users
from rackwright_app.errors import ApiError, UnauthorizedError, UnavailableError
from rackwright_app.users.claims import claim, name_of, role_of
from rackwright_app.users.oidc import OidcVerifier
from rackwright_app.users.settings import Oidc, OidcClient

BEGUN_SECONDS = 600
Outcome = Literal["cancelled", "expired", "refused", "failed", "unavailable"]
_log = structlog.get_logger(__name__)


class NotSignedInError(Exception):
    """Signing in at the provider came to nothing.

    Attributes:
        outcome: What the page is told.
    """

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(frozen=True)
class Begun:
    """A sign-in that was begun, as Redis keeps it.

    Attributes:
        browser: Digest of the cookie of the browser that began it.
        nonce: What the ID token must repeat.
        verifier: What the code is worth nothing without (PKCE).
    """

    browser: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Answer:
    """What the provider sent the browser back with; each is whatever a stranger wrote."""

    state: str
    code: str
    error: str
    issuer: str


class ProviderSignIn:
    """Sends browsers to the provider and takes them back."""

    def __init__(
        self,
        settings: Oidc,
        client: OidcClient,
        verifier: OidcVerifier,
        users: Users,
        redis: Redis,
        prefix: str,
    ) -> None:
        self._settings = settings
        self._client = client
        self._provider = verifier.provider
        self._verifier = verifier
        self._users = users
        self._redis = redis
        self._prefix = f"{prefix}begun:"

    @property
    def seconds(self) -> int:
        """How long a page may stay signed in before the provider is asked again."""
        return self._client.hours * 3600

    async def begin(self) -> tuple[str, str]:
        """Begins to sign in.

        Returns:
            Where to send the browser, and its cookie.

        Raises:
            NotSignedInError: The provider or Redis is away.
        """
        try:
            endpoint = (await self._provider.metadata()).authorization_endpoint
        except UnavailableError as error:
            raise NotSignedInError("unavailable", "provider") from error
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        begun = Begun(_digest(browser), nonce, verifier)
        try:
            await self._redis.set(self._key(state), json.dumps(asdict(begun)), ex=BEGUN_SECONDS)
        except (RedisError, OSError) as error:
            raise NotSignedInError("unavailable", "redis") from error
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect_uri,
            "scope": " ".join(self._client.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return str(httpx.URL(endpoint).copy_merge_params(asked)), browser

    async def finish(self, answer: Answer, browser: str | None) -> User:
        """Takes a browser back.

        Args:
            answer: What it came with.
            browser: Its cookie.

        Returns:
            The user, as the database has it from now on.

        Raises:
            NotSignedInError: Nobody signed in.
        """
        outcome: Outcome | Literal["accepted"] = "failed"
        reason = ""
        try:
            user = await self._finish(answer, browser)
        except NotSignedInError as error:
            outcome, reason = error.outcome, str(error)
            raise
        except UnauthorizedError as error:
            outcome, reason = "refused" if error.reason == "role" else "failed", error.reason
            raise NotSignedInError(outcome, reason) from error
        except (ApiError, psycopg.OperationalError) as error:
            outcome, reason = "unavailable", type(error).__name__
            raise NotSignedInError(outcome, reason) from error
        else:
            outcome = "accepted"
            return user
        finally:
            metrics.SIGN_INS.labels(outcome).inc()
            _log.info("sign-in at the identity provider", outcome=outcome, reason=reason)

    async def leave(self) -> str | None:
        """Returns where a browser ends its session at the provider; None where it has no such place."""
        try:
            endpoint = (await self._provider.metadata()).end_session_endpoint
        except UnavailableError:
            return None
        back = str(httpx.URL(self._client.redirect_uri).copy_with(path="/"))
        asked = {"client_id": self._client.id, "post_logout_redirect_uri": back}
        return str(httpx.URL(endpoint).copy_merge_params(asked)) if endpoint else None

    async def _finish(self, answer: Answer, browser: str | None) -> User:
        begun = await self._take(answer.state)
        if begun is None or not hmac.compare_digest(begun.browser, _digest(browser or "")):
            raise NotSignedInError("expired", "state")
        metadata = await self._provider.metadata()
        # RFC 9207: the answer of another provider must not be taken for this one's.
        wanted = metadata.authorization_response_iss_parameter_supported or answer.issuer
        if wanted and answer.issuer != self._settings.issuer:
            raise NotSignedInError("failed", "issuer of the answer")
        if answer.error or not answer.code:
            cancelled = answer.error == "access_denied"
            raise NotSignedInError("cancelled" if cancelled else "failed", "told by the provider")
        given = await self._provider.tokens(self._client, answer.code, begun.verifier)
        claims = await self._verifier.claims(str(given.get("id_token")), self._client.id, ["nonce"])
        if not hmac.compare_digest(str(claims["nonce"]).encode(), begun.nonce.encode()):
            raise NotSignedInError("failed", "nonce")
        # A token for several parties says which of them asked for it.
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", "" if several else self._client.id) != self._client.id:
            raise NotSignedInError("failed", "azp")
        told = await self._whole(claims, str(given.get("access_token", "")))
        name, role = name_of(self._settings, told), role_of(self._settings, told)
        user = await self._users.of_provider(self._settings.issuer, str(claims["sub"]), name, role)
        if user is None:
            raise NotSignedInError("refused", "the name is another person's")
        if user.disabled:
            raise NotSignedInError("refused", "shut out here")
        return user

    async def _whole(self, claims: Mapping[str, Any], access_token: str) -> Mapping[str, Any]:
        """Returns the claims with what some providers tell at their userinfo endpoint alone."""
        needed = (self._settings.user_claim, self._settings.role_claim)
        if all(claim(claims, name) is not None for name in needed):
            return claims
        more = await self._provider.userinfo(access_token)
        if more and more.get("sub") != claims["sub"]:
            raise NotSignedInError("failed", "subject of userinfo")
        return {**more, **claims}

    async def _take(self, state: str) -> Begun | None:
        try:
            kept = await self._redis.getdel(self._key(state))
        except (RedisError, OSError) as error:
            raise UnavailableError("limiter") from error
        return Begun(**json.loads(kept)) if kept else None

    def _key(self, state: str) -> str:
        return f"{self._prefix}{_digest(state)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
