"""A look at the hosts of a site that is not written yet."""

from __future__ import annotations

from rackwright.errors import RackwrightError
from rackwright.hardware.model import Hardware
from rackwright.hardware.scan import scan_site
from rackwright.init.create import Draft
from rackwright.init.write import drafted


def survey(draft: Draft) -> dict[str, Hardware]:
    """Scan the hosts of a draft by SSH, as the site itself would; returns what they are made of, by name.

    Raises:
        RackwrightError: A host that does not answer, or gives no readable answer; nothing has been written.
    """
    with drafted(draft.files, draft.target) as directory:
        scans, _run = scan_site([directory], keep=False)
    silent = [f"{scan.host} ({scan.message or scan.status})" for scan in scans if scan.hardware is None]
    if silent:
        raise RackwrightError(
            f"not scanned: {'; '.join(silent)}",
            hint="mend the way in (address, user, key, sudo), or leave --scan out and scan later",
        )
    return {scan.host: scan.hardware for scan in scans if scan.hardware is not None}
