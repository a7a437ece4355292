# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""What of nft's listing of a table was put there by somebody, and not by packets that came by."""

from __future__ import annotations


def lasting(listing: str) -> str:
    """Return a listing without the elements of dynamic sets, which rules fill and time empties."""
    kept: list[str] = []
    dynamic = within = False
    for line in listing.splitlines(keepends=True):
        words = line.split()
        if words[:1] == ["set"]:
            dynamic = False
        elif words[:1] == ["flags"]:
            dynamic = "dynamic" in line
        elif dynamic and words[:1] == ["elements"]:
            within = True
        if not within:
            kept.append(line)
        elif "}" in line:
            within = False
    return "".join(kept)
