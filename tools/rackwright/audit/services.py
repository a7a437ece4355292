"""Backups, central logs and monitoring, judged by what their services tell of their own health."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rackwright.audit.model import Item, both, data
from rackwright.operations.health import ServiceHealth

# A host that does not answer tells of no service.
_HOST = "host"


def judge_services(answers: Sequence[ServiceHealth], placed: Mapping[str, Collection[str]]) -> Iterator[Item]:
    """Yield an item for each service that speaks for a check, or that a site has none that could.

    Args:
        answers: What every service of the site answered, and the hosts that did not.
        placed: Host -> its services; one that does not answer is well in nothing that it should speak for.
    """
    silent = [answer for answer in answers if answer.service == _HOST]
    for check, entry in data()["by_health"].items():
        services = set(entry["services"])
        for answer in answers:
            if answer.service in services:
                text = f"{answer.service}: {answer.detail}"
                yield Item(check, answer.host, "pass" if answer.ok else "fail", both(text, text))
        for answer in silent:
            if services & set(placed[answer.host]):
                why = both(f"not asked: {answer.detail}", f"无法询问：{answer.detail}")
                yield Item(check, answer.host, "fail", why)
        if not any(services & set(names) for names in placed.values()):
            yield Item(check, "", "warn", entry["absent"])
