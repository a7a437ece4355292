"""A double of Dify's pages: one, which says that it is a double."""

from __future__ import annotations

import os

from common import Handler, Json, serve
from release import check


class Pages(Handler):
    """Every path is the one page."""

    def find(self, method: str, path: str) -> object:  # noqa: ARG002 - every path is the same
        """Return who answers a path."""
        return _page if method in ("GET", "HEAD") else None


def _page(handler: Pages, _: Json) -> None:
    handler.send(200, b"<!doctype html><title>Dify (double)</title>", "text/html")


if __name__ == "__main__":
    check("web", os.environ)
    serve(Pages, 3000)
