"""The proof for an auditor: for machines, as Markdown, and as a page that needs no other file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from rackwright.airgap.prove import Proof

_TEMPLATES = Path(__file__).parent


def verdict(proof: Proof) -> str:
    """Return the result in one sentence."""
    if proof.passed:
        return f"passed: {len(proof.hosts)} hosts counted, and no packet wanted to leave the site"
    reasons = []
    if proof.packets:
        reasons.append(f"{proof.packets} packets wanted to leave the site")
    if proof.missing:
        reasons.append(f"no count of {', '.join(sorted(proof.missing))}")
    if not proof.successful:
        reasons.append("what was to be done meanwhile did not end well")
    return f"not passed: {'; '.join(reasons) or 'no host counted'}"


def as_dict(proof: Proof) -> dict[str, Any]:
    """Return the proof for machines."""
    found = asdict(proof)
    found |= {"begun": _stamp(proof.begun), "ended": _stamp(proof.ended)}
    for host, told in zip(proof.hosts, found["hosts"], strict=True):
        told["since"] = _stamp(host.since) if host.since else None
    return {"passed": proof.passed, "verdict": verdict(proof), "packets": proof.packets, **found}


def as_markdown(proof: Proof) -> str:
    """Return the proof as Markdown."""
    return _rendered("report.md.j2", proof)


def as_html(proof: Proof) -> str:
    """Return the proof as a page."""
    return _rendered("report.html.j2", proof)


def write(proof: Proof, directory: Path) -> list[Path]:
    """Write all three, and their checksums, into a directory; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "airgap.json": json.dumps(as_dict(proof), indent=2) + "\n",
        "airgap.md": as_markdown(proof),
        "airgap.html": as_html(proof),
    }
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in texts.items())
    files = []
    for name, text in {**texts, "SHA256SUMS": sums}.items():
        (directory / name).write_text(text, encoding="utf-8")
        files.append(directory / name)
    return files


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _rendered(template: str, proof: Proof) -> str:
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=template.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(
        proof=proof, verdict=verdict(proof), version=version("rackwright")
    )
