"""Filters over the site's sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def bundle_key(directory: str, signer: str) -> str:
    """Return the text of the key that signed a bundle, once it is sure that the site trusts it.

    Args:
        directory: The bundle, on the control node.
        signer: Fingerprint that the site trusts.

    Returns:
        The key, armoured; hosts check packages against it.

    Raises:
        RackwrightError: There is no bundle, another key signed it, or its manifest was changed.
    """
    # Imported here: only a site that lives from a bundle needs it.
    from pathlib import Path  # noqa: PLC0415

    from rackwright.bundle.verify import trusted_key  # noqa: PLC0415

    return trusted_key(Path(directory), signer)


def registry_authorities(sources: Mapping[str, Any]) -> dict[str, str]:
    """Return the registries whose certificates the sources' own authority has signed, each with its file.

    Args:
        sources: The site's.
    """
    authority = str(sources.get("authority") or "")
    places = {str(place).partition("/")[0] for place in (sources.get("registries") or {}).values()}
    return {place: authority for place in sorted(places) if place and authority}


def authority_links(authorities: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the files by which the container engine knows authorities, for `managed_files`.

    Args:
        authorities: Registries, `address:port`, each with the file of its authority.
    """
    files: list[dict[str, str]] = []
    for place, authority in sorted(authorities.items()):
        directory = f"/etc/docker/certs.d/{place}"
        files += [
            {"dest": directory, "state": "directory"},
            {"dest": f"{directory}/ca.crt", "state": "link", "target": authority},
        ]
    return [{"dest": "/etc/docker/certs.d", "state": "directory"}, *files] if files else []


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "authority_links": authority_links,
            "bundle_key": bundle_key,
            "registry_authorities": registry_authorities,
        }
