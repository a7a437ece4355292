"""The last audit of a site, kept beside the runs: for the report, which runs none of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rackwright.audit.model import Audit
from rackwright.audit.report import as_dict
from rackwright.site.paths import repository_root


def path_of(site: str) -> Path:
    """Return where the last audit of a site is kept."""
    return repository_root() / ".runs" / "audits" / f"{site}.json"


def keep(audit: Audit, now: datetime | None = None) -> Path:
    """Keep an audit as the site's last."""
    path = path_of(audit.site)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made_at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    text = json.dumps({"made_at": made_at, **as_dict(audit)}, ensure_ascii=False)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def last(site: str) -> dict[str, Any] | None:
    """Return the last audit of a site as JSON has it, with `made_at`; None when there was none."""
    path = path_of(site)
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
