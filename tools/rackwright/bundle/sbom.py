"""What is in a bundle, for whoever has to know: CycloneDX, and a list of licences."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from rackwright.bundle.manifest import Entry

SBOM = "documents/sbom.cdx.json"
LICENCES = "documents/licences.md"
_KINDS = {"package": "library", "wheel": "library", "image": "container", "model": "machine-learning-model"}
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


def bill(site: str, entries: Iterable[Entry]) -> bytes:
    """Return the bill of materials, CycloneDX 1.5 as JSON; the same files make the same bytes.

    Args:
        site: Whose bundle it is.
        entries: Its files.
    """
    components = [
        _component(entry) for entry in sorted(entries) if entry.kind in _KINDS or entry.kind == "file"
    ]
    body = json.dumps(components, sort_keys=True)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(hashlib.sha256(body.encode()).hexdigest()[:32], version=4)}",
        "version": 1,
        "metadata": {
            "component": {"type": "platform", "bom-ref": "bundle", "name": f"rackwright-bundle-{site}"}
        },
        "components": components,
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def licences(entries: Iterable[Entry]) -> bytes:
    """Return what each part says of its licence, as Markdown."""
    lines = [
        "# Licences",
        "",
        "Debian's and Ubuntu's packages carry theirs in /usr/share/doc/<package>/copyright, wheels in their",
        "metadata, images in their labels; what was told when the bundle was built stands here.",
        "",
        "| part | version | licence |",
        "| --- | --- | --- |",
    ]
    rows = {(entry.name, entry.version, entry.licence) for entry in entries if entry.licence}
    lines += [f"| {name} | {version or '-'} | {licence} |" for name, version, licence in sorted(rows)]
    return ("\n".join(lines) + "\n").encode()


def purl(entry: Entry) -> str:
    """Return a part's package URL; empty where its kind has none."""
    version = quote(entry.version, safe=".~")
    if entry.kind == "package":
        namespace = entry.source.partition(" ")[0]
        architecture = entry.path.rpartition("_")[2].removesuffix(".deb")
        return f"pkg:deb/{namespace}/{quote(entry.name, safe='.-')}@{version}?arch={architecture}"
    if entry.kind == "wheel":
        return f"pkg:pypi/{entry.name}@{version}"
    if entry.kind == "image" and _DIGEST.match(entry.version):
        name = entry.name.rpartition("/")[2].partition("@")[0].partition(":")[0]
        return f"pkg:oci/{quote(name)}@{quote(entry.version, safe='')}"
    return ""


def _component(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": _KINDS.get(entry.kind, "file"),
        "bom-ref": entry.path,
        "name": entry.name or entry.path,
        "hashes": [{"alg": "SHA-256", "content": entry.sha256}],
        "properties": [{"name": "rackwright:path", "value": entry.path}],
    }
    if entry.version:
        found["version"] = entry.version
    if entry.licence:
        found["licenses"] = [{"license": {"name": entry.licence}}]
    address = purl(entry)
    if address:
        found["purl"] = address
    return found


def documents(manifest_site: str, entries: list[Entry]) -> dict[str, bytes]:
    """Return the documents of a bundle by their names in the tree."""
    return {SBOM: bill(manifest_site, entries), LICENCES: licences(entries)}
