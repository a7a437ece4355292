"""Metrics and alerts for plays: programs of ours, rule files, Alertmanager's configuration.

Thin: everything is done by `rackwright.alerts`; what is heavy is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.site.plain import plain

HOME = "/usr/local/lib/rackwright/python"
LIBRARY = "/usr/local/lib/rackwright"


def host_metrics_files(_: object) -> list[dict[str, Any]]:
    """Return items of `managed_files` that lay the collector of our own metrics down."""
    return _program("host_metrics", "host-metrics")


def alert_relay_files(_: object) -> list[dict[str, Any]]:
    """Return items of `managed_files` that lay the relay to robots down."""
    return _program("alert_relay", "alert-relay")


def _program(package: str, name: str) -> list[dict[str, Any]]:
    import rackwright  # noqa: PLC0415 - for its place alone

    source = Path(rackwright.__file__).parent / package
    places = (LIBRARY, HOME, f"{HOME}/rackwright", f"{HOME}/rackwright/{package}")
    return [
        *({"dest": place, "state": "directory"} for place in places),
        {"dest": f"{HOME}/rackwright/__init__.py", "content": ""},
        *(
            {"dest": f"{HOME}/rackwright/{package}/{path.name}", "src": str(path)}
            for path in sorted(source.glob("*.py"))
        ),
        {
            "dest": f"{LIBRARY}/{name}",
            "mode": "0755",
            "content": "#!/bin/sh\n"
            f"exec /usr/bin/python3 -IBS -c \"import sys; sys.path.insert(0, '{HOME}');"
            f' from rackwright.{package}.main import main; main()" "$@"\n',
        },
    ]


def exporter_address(listen: Mapping[str, Any]) -> str:
    """Return `address:port`, an IPv6 address in brackets."""
    address = str(listen["address"])
    return f"[{address}]:{listen['port']}" if ":" in address else f"{address}:{listen['port']}"


def alert_rules(services: Iterable[str], settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each rule file, by subject.

    Args:
        services: What the site runs (`host_plan.scrape.services`).
        settings: `alert_settings` of group_vars/all/observability.yml.
    """
    from rackwright.alerts.site import rules_of_site  # noqa: PLC0415 - only hosts that watch need it

    try:
        return rules_of_site(plain(list(services)), plain(settings))
    except RackwrightError as error:
        raise AnsibleFilterError(f"alert_rules: {error}") from error


def alertmanager_config(
    receivers: Sequence[Mapping[str, Any]], routes: Sequence[Mapping[str, Any]], durations: Mapping[str, str]
) -> dict[str, Any]:
    """Return alertmanager.yml as data, from `alert_receivers` and `alert_routes`."""
    from rackwright.alerts.receivers import Receiver, Route, configuration  # noqa: PLC0415 - as above

    return configuration(
        [Receiver.model_validate(plain(entry)) for entry in receivers],
        [Route.model_validate(plain(entry)) for entry in routes],
        plain(durations),
    )


def alert_relay(receivers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the robots among the receivers, as the relay is told them."""
    from rackwright.alerts.receivers import Receiver, relay  # noqa: PLC0415 - as above

    return relay(Receiver.model_validate(plain(entry)) for entry in receivers)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "alert_relay": alert_relay,
            "alert_relay_files": alert_relay_files,
            "alert_rules": alert_rules,
            "alertmanager_config": alertmanager_config,
            "exporter_address": exporter_address,
            "host_metrics_files": host_metrics_files,
        }
