"""What the stores that speak HTTP have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from rackwright_app.rag.stores.base import StoreError


class HttpStore:
    """Asks a store; its errors become ``StoreError``, without what the store said of the request."""

    def __init__(self, client: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._headers = dict(headers)

    async def ask(self, method: str, path: str, body: object = None, *, missing_is_none: bool = False) -> Any:  # noqa: ANN401 - whatever the store answers
        """Sends one request.

        Args:
            method: Of HTTP.
            path: Beneath the store's address.
            body: Sent as JSON.
            missing_is_none: Return None instead of failing when there is no such thing.

        Raises:
            StoreError: The store is away or refuses.
        """
        try:
            answer = await self._client.request(method, self._url + path, json=body, headers=self._headers)
        except httpx.HTTPError as error:
            raise StoreError(f"{method} {path}: {type(error).__name__}") from error
        if missing_is_none and answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if not answer.is_success:
            raise StoreError(f"{method} {path}: status {answer.status_code}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise StoreError(f"{method} {path}: no JSON") from error


async def make_once(there: Callable[[], Awaitable[bool]], make: Callable[[], Awaitable[object]]) -> None:
    """Makes what is not there yet. Of several workers that do it at once one succeeds; the others find it.

    Raises:
        StoreError: It could not be made.
    """
    if await there():
        return
    try:
        await make()
    except StoreError:
        if not await there():
            raise
