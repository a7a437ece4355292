"""Signing in and out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Cookie, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from rackwright_app.api.access import Caller, Held, Services, documented_bearer
from rackwright_app.texts import Text
from rackwright_app.users.claims import PREFIX as PROVIDER_PREFIX
from rackwright_app.users.passwords import MAXIMUM_CHARACTERS
from rackwright_app.users.sign_in import SignedIn

PREFIX = "/api/auth"
# These three are asked without an access token: the gate lets them pass (``middleware``).
OPEN = frozenset({f"{PREFIX}/login", f"{PREFIX}/refresh", f"{PREFIX}/logout"})
_COOKIE = "rackwright_refresh"
Refresh = Annotated[str | None, Cookie(alias=_COOKIE, max_length=200)]
router = APIRouter(prefix=PREFIX, tags=["sign-in"])


class Credentials(BaseModel):
    """Who wants to sign in."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[Text, Field(min_length=1, max_length=128)]
    password: Annotated[Text, Field(min_length=1, max_length=MAXIMUM_CHARACTERS)]


class AccessToken(BaseModel):
    """An access token, for ``Authorization: Bearer``; the refresh token is a cookie no script can read."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - its kind
    expires_in: Annotated[int, Field(description="Seconds.")]
    user: str
    role: Literal["user", "admin"]


class Me(BaseModel):
    """Who is asking."""

    user: str
    role: Literal["user", "admin"]
    provider: Annotated[bool, Field(description="Whether the identity provider vouches for the user.")]


@router.post("/login", summary="Sign in with a password")
async def login(body: Credentials, request: Request, response: Response, held: Held) -> AccessToken:
    """Signs in; after a number of tries within a quarter of an hour it answers 429."""
    signed_in = await held.sign_in.sign_in(body.user, body.password, request.state.address)
    return keep_signed_in(signed_in, response, held)


@router.post("/refresh", summary="Get the next access token")
async def refresh(response: Response, held: Held, token: Refresh = None) -> AccessToken:
    """Hands out the next access token for the cookie's refresh token, which is used up."""
    return keep_signed_in(await held.sign_in.refresh(token), response, held)


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT, summary="Sign out")
async def logout(held: Held, token: Refresh = None) -> Response:
    """Ends what the cookie stands for."""
    await held.sign_in.sign_out(token)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(_COOKIE, path=PREFIX, httponly=True, samesite="strict")
    return response


@router.get("/me", dependencies=[documented_bearer], summary="Who am I")
async def me(caller: Caller) -> Me:
    """Says whom the token speaks for."""
    return Me(
        user=caller.subject, role=caller.role.value, provider=caller.subject.startswith(PROVIDER_PREFIX)
    )


def keep_signed_in(signed_in: SignedIn, response: Response, held: Services) -> AccessToken:
    """Gives the refresh token to the browser as a cookie; returns what its page gets."""
    response.set_cookie(
        _COOKIE,
        signed_in.refresh,
        max_age=signed_in.refresh_seconds,
        path=PREFIX,
        secure=held.settings.sign_in.secure_cookie,
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return AccessToken(
        access_token=signed_in.access,
        expires_in=signed_in.access_seconds,
        user=signed_in.user.name,
        role="admin" if signed_in.user.role == "admin" else "user",
    )
