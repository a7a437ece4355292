"""Signing in: a password for a short access token and a longer refresh token, which is used once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from rackwright_app import metrics
from rackwright_app.database.users import Family, User, Users
from rackwright_app.errors import TooManyError, UnauthorizedError
from rackwright_app.limits import RequestLimit
from rackwright_app.settings import Tokens
from rackwright_app.tokens import Role, issue
from rackwright_app.users.passwords import matches
from rackwright_app.users.settings import SignIn

_TOKEN_BYTES = 32
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SignedIn:
    """What a page gets.

    Attributes:
        user: Who it is.
        access: The access token.
        access_seconds: How long it holds.
        refresh: The token that gets the next one, for a cookie.
        refresh_seconds: How long that one holds.
    """

    user: User
    access: str
    access_seconds: int
    refresh: str
    refresh_seconds: int


class SignInService:
    """Checks passwords and hands out tokens."""

    def __init__(
        self,
        settings: SignIn,
        tokens: Tokens,
        users: Users,
        *,
        user_tries: RequestLimit,
        address_tries: RequestLimit,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._users = users
        self._user_tries = user_tries
        self._address_tries = address_tries

    async def sign_in(self, name: str, password: str, address: str) -> SignedIn:
        """Signs a user in.

        Raises:
            UnauthorizedError: Wrong user or password, or the user is shut out, or this site has no users with
                passwords: the four do not differ.
            TooManyError: Too many tries of the user or the address.
        """
        # Every try counts, before the password is looked at: guessing costs, whatever comes of it.
        for tries, key in ((self._address_tries, address), (self._user_tries, name.lower())):
            verdict = await tries.take(key)
            if not verdict.allowed:
                metrics.SIGN_INS.labels("limited").inc()
                raise TooManyError("Too many tries.", verdict.reset_seconds)
        user = await self._users.find(name) if self._settings.password else None
        if not await matches(user.password_hash if user else None, password) or user is None or user.disabled:
            metrics.SIGN_INS.labels("refused").inc()
            _log.info("sign-in refused", address=address)
            raise UnauthorizedError("password", "User or password is wrong.")
        metrics.SIGN_INS.labels("accepted").inc()
        await self._user_tries.forget(name.lower())
        return await self._issued(user, Family())

    async def accept(self, user: User, seconds: int) -> SignedIn:
        """Signs in a user whom somebody else vouches for, for so long at most."""
        return await self._issued(user, Family(ends_at=datetime.now(UTC) + timedelta(seconds=seconds)))

    async def refresh(self, token: str | None) -> SignedIn:
        """Hands out the next access token.

        Raises:
            UnauthorizedError: The token is unknown, too old, or was used before.
        """
        if not token:
            raise UnauthorizedError("missing", "Please sign in.")
        found = await self._users.use_refresh(_digest(token))
        # Once passwords are switched off, who came in by one stays no longer.
        if found is None or (found[0].password_hash is not None and not self._settings.password):
            raise UnauthorizedError("refresh", "Please sign in again.")
        return await self._issued(*found)

    async def sign_out(self, token: str | None) -> None:
        """Ends the family of a refresh token."""
        if token:
            await self._users.end_refresh(_digest(token))

    async def _issued(self, user: User, family: Family) -> SignedIn:
        access_seconds = self._settings.access_minutes * 60
        refresh_seconds = self._settings.refresh_hours * 3600
        refresh = secrets.token_urlsafe(_TOKEN_BYTES)
        await self._users.keep_refresh(user, _digest(refresh), family, seconds=refresh_seconds)
        access = issue(self._tokens, user.name, Role(user.role), access_seconds)
        return SignedIn(user, access, access_seconds, refresh, refresh_seconds)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
