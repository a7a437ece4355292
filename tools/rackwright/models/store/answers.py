"""Ask a source something short, with a few attempts and errors that an operator understands."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx

from rackwright.models.store.files import StoreError

_ATTEMPTS = 3


def answer(client: httpx.Client, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Return a source's answer.

    Raises:
        StoreError: It cannot be reached, or does not have what it is asked for.
    """
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            response = client.get(url, headers=headers or {})
        except httpx.TransportError as raised:
            error = raised
            continue
        if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            break
        error = StoreError(f"it answers {response.status_code}")
    else:
        raise StoreError(
            f"{httpx.URL(url).host} cannot be asked: {error}",
            hint="is there a way to it from here? without internet, use a source of kind folder or mirror",
        ) from error
    if response.status_code == HTTPStatus.OK:
        return response
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        hint = "it asks for a token (`token` of the source), or for its licence to be accepted there"
    else:
        hint = "does it have this model under this name?"
    asked = httpx.URL(url)
    raise StoreError(f"{asked.host} answers {response.status_code} to {asked.path}", hint=hint)


def as_json(response: httpx.Response) -> Any:  # noqa: ANN401 - whatever a server sends
    """Return an answer's JSON.

    Raises:
        StoreError: It is none.
    """
    try:
        return response.json()
    except ValueError as error:
        raise StoreError(
            f"{response.url.host} answers something that is no JSON", hint="look at `url` of the source"
        ) from error
