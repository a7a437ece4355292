"""Signing in at the identity provider: where a page sends its browser, and where that comes back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Cookie, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from rackwright_app.api.access import Held, Services
from rackwright_app.api.auth import PREFIX, keep_signed_in
from rackwright_app.errors import ApiError
from rackwright_app.users.provider_sign_in import BEGUN_SECONDS, Answer, NotSignedInError, ProviderSignIn

OPEN = frozenset({f"{PREFIX}/methods", *(f"{PREFIX}/oidc/{name}" for name in ("start", "callback", "end"))})
PAGE = "/"
"""Where a browser is sent with what came of it; the page says it in its user's language."""
_LONGEST = 4096
# With this prefix a browser takes the cookie from this very host alone, not from one beside it in the domain.
_SECURE = "__Host-"
_COOKIE = "rackwright_begun"
Written = Annotated[str, Query(max_length=_LONGEST)]
router = APIRouter(prefix=PREFIX, tags=["sign-in"])


class Methods(BaseModel):
    """How a page may sign in."""

    password: bool
    provider: bool


@router.get("/methods", summary="How to sign in")
async def methods(held: Held) -> Methods:
    """Says whether users sign in by password, at an identity provider, or either."""
    return Methods(password=held.settings.sign_in.password, provider=held.provider_sign_in is not None)


@router.get(
    "/oidc/start",
    status_code=HTTPStatus.SEE_OTHER,
    response_class=RedirectResponse,
    summary="Sign in at the identity provider",
)
async def start(held: Held) -> Response:
    """Sends the browser to the identity provider."""
    try:
        where, browser = await _provider(held).begin()
    except NotSignedInError as error:
        return _sent(PAGE, error.outcome)
    response = _sent(where)
    response.set_cookie(
        _name(held),
        browser,
        max_age=BEGUN_SECONDS,
        secure=held.settings.sign_in.secure_cookie,
        httponly=True,
        # Not strict: the browser comes back from the provider's site.
        samesite="lax",
    )
    return response


@router.get(
    "/oidc/callback",
    status_code=HTTPStatus.SEE_OTHER,
    response_class=RedirectResponse,
    summary="Come back from the identity provider",
)
async def callback(
    held: Held,
    state: Written = "",
    code: Written = "",
    error: Written = "",
    iss: Written = "",
    secure: Annotated[str | None, Cookie(alias=_SECURE + _COOKIE, max_length=200)] = None,
    plain: Annotated[str | None, Cookie(alias=_COOKIE, max_length=200)] = None,
) -> Response:
    """Signs in whom the provider vouches for, and sends the browser to the page."""
    provider = _provider(held)
    try:
        user = await provider.finish(
            Answer(state, code, error, iss), secure if held.settings.sign_in.secure_cookie else plain
        )
    except NotSignedInError as failed:
        response = _sent(PAGE, failed.outcome)
    else:
        response = _sent(PAGE)
        keep_signed_in(await held.sign_in.accept(user, provider.seconds), response, held)
    response.delete_cookie(
        _name(held), secure=held.settings.sign_in.secure_cookie, httponly=True, samesite="lax"
    )
    return response


@router.get(
    "/oidc/end",
    status_code=HTTPStatus.SEE_OTHER,
    response_class=RedirectResponse,
    summary="Sign out at the identity provider",
)
async def end(held: Held) -> Response:
    """Sends the browser to where its session at the provider ends; `/logout` has ended the one here."""
    return _sent(await _provider(held).leave() or PAGE)


def _provider(held: Services) -> ProviderSignIn:
    if held.provider_sign_in is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "no_identity_provider", "This site has no identity provider.")
    return held.provider_sign_in


def _sent(where: str, outcome: str = "") -> RedirectResponse:
    url = f"{where}?{urlencode({'sign-in': outcome})}" if outcome else where
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(url, HTTPStatus.SEE_OTHER, headers)


def _name(held: Services) -> str:
    return _SECURE + _COOKIE if held.settings.sign_in.secure_cookie else _COOKIE
