"""Checks of what a site that runs Dify needs beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rackwright.catalogue.findings import Finding, short
from rackwright.dify.stores import STORES, UNUSABLE
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.plain import Value

GROUP = "dify"
_NEEDED = {
    "postgresql": "its two databases are there",
    "redis": "its queue is there",
    "edge": "people reach it there",
}
IMAGES = ("api", "web", "plugin_daemon", "sandbox", "ssrf_proxy")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def dify_findings(inventory: Inventory, choices: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is missing or wrong for Dify; nothing on a site that does not run it.

    Args:
        inventory: The site's.
        choices: What the site has chosen, by variable.
    """
    hosts = inventory.members(GROUP)
    if not hosts:
        return
    if len(hosts) > 1:
        # Uploads and plugins are on the host's disk, and its scheduler must be one.
        yield Finding(
            "groups",
            ", ".join(hosts),
            "Dify runs on one host",
            f"leave one in the group {GROUP}",
            "group dify",
        )
    for group, why in _NEEDED.items():
        if not inventory.members(group):
            rule = f"Dify needs a host in it: {why}"
            yield Finding(
                "groups",
                group,
                rule,
                f"put a host into {group}, or empty the group {GROUP}",
                f"group {group}",
            )
    name = hosts[0]
    where = f"host {name}"
    if name not in inventory.members("container_hosts"):
        rule = "Dify runs in containers, and this host has no container engine"
        yield Finding("groups", GROUP, rule, f"put {name} into the group container_hosts", where)
    try:
        yield from _variable_findings(inventory.hosts[name].variables, choices, where)
    except RackwrightError as error:
        yield Finding("dify", "(unusable)", error.message, error.hint or "", where)


def _variable_findings(
    variables: Mapping[str, Value], choices: Mapping[str, str], where: str
) -> Iterator[Finding]:
    email = str(variables.get("dify_admin_email") or "")
    if not _ADDRESS.fullmatch(email):
        rule = "the first account needs an address"
        yield Finding(
            "dify_admin_email", short(email) or "(empty)", rule, "write one, such as ops@example.com", where
        )
    store = str(variables.get("dify_vectors") or choices["vector_store"])
    if store not in STORES:
        why = UNUSABLE.get(store, "Dify or the site does not know it")
        fix = "write `dify_vectors: pgvector`: it is in the site's PostgreSQL, whatever the app has"
        yield Finding("dify_vectors", store, why, fix, where)
    elif store not in ("pgvector", choices["vector_store"]):
        rule = f"the site's vector_store is {choices['vector_store']}: nobody runs {store}"
        yield Finding(
            "dify_vectors", store, rule, "write `dify_vectors: pgvector`, or choose it for the site", where
        )
    files = str(variables.get("dify_files") or "")
    if files not in ("folder", "objects"):
        rule = "uploads are in a folder of Dify's host or in the site's object store"
        yield Finding(
            "dify_files", short(files), rule, "write `dify_files: folder` or `dify_files: objects`", where
        )
    elif files == "objects" and choices["object_store"] == "folder":
        rule = "the site has no object store"
        fix = "put a host into the group object_store, or write `dify_files: folder`"
        yield Finding("dify_files", files, rule, fix, where)
    images = variables.get("dify_images") or {}
    missing = [image for image in IMAGES if not isinstance(images, Mapping) or image not in images]
    if missing:
        rule = f"an image for each of {', '.join(IMAGES)}, by its digest"
        yield Finding(
            "dify_images", f"without {', '.join(missing)}", rule, "docs/dify.md has an example", where
        )
