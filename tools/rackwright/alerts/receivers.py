"""Who is told, and how: `alert_receivers` and `alert_routes`, and what Alertmanager makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rackwright.alerts.model import SEVERITIES

# Where the relay listens; Alertmanager is on the same host.
RELAY = "http://127.0.0.1:9095"
ROBOTS = ("dingtalk", "feishu", "wecom")
NOBODY = "nobody"
Kind = Literal["webhook", "email", "dingtalk", "feishu", "wecom", "wechat"]
Severity = Literal["critical", "warning", "info", "none"]
ReceiverName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Url = Annotated[str, Field(pattern=r"^https?://\S+$")]

# What each kind needs beside name and kind, and what is a secret of it.
NEEDS = {
    "webhook": ("url",),
    "email": ("to", "from_address", "smarthost"),
    "dingtalk": ("url",),
    "feishu": ("url",),
    "wecom": ("url",),
    "wechat": ("corp_id", "agent_id", "to_user", "secret"),
}


class Receiver(BaseModel):
    """One receiver.

    The address of a robot holds its key, and so is a secret as a whole.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    name: ReceiverName = Field(description="Name, as routes say it.")
    kind: Literal["webhook", "email", "dingtalk", "feishu", "wecom", "wechat"] = Field(
        description="How it is told."
    )
    severities: list[Severity] = Field(
        default=["critical", "warning"],
        description="Of which alerts it hears, but for those of a route.",
    )
    language: Literal["en", "zh"] = Field(default="en", description="Language of a robot's messages.")
    url: Url | None = Field(default=None, description="Where a webhook or a robot is; of a robot a secret.")
    secret: str = Field(
        default="",
        description="What a robot signs with; a webhook's bearer token; a password; an app's.",
    )
    to: list[str] = Field(default=[], description="Addresses of mail.")
    from_address: str = Field(default="", description="Sender of mail.")
    smarthost: str = Field(default="", description="Mail server, host:port.")
    username: str = Field(default="", description="Account at the mail server; its password is `secret`.")
    corp_id: str = Field(default="", description="Of a WeCom app.")
    agent_id: str = Field(default="", description="Of a WeCom app.")
    to_user: str = Field(default="", description="Of a WeCom app: users, or @all.")
    repeat: str = Field(default="", description="How often what goes on is told again, such as 4h.")

    @model_validator(mode="after")
    def _complete(self) -> Receiver:
        lacking = [key for key in NEEDS[self.kind] if not getattr(self, key)]
        if self.username and not self.secret:
            lacking.append("secret")
        if lacking:
            raise ValueError(
                f"the receiver {self.name} is of the kind {self.kind} and lacks {', '.join(lacking)}"
            )
        return self


class Route(BaseModel):
    """Alerts with these properties go to these receivers, and to nobody else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    to: Annotated[list[ReceiverName], Field(min_length=1)] = Field(description="Receivers.")
    severities: list[Severity] = Field(default=[], description="Only these; none: all.")
    services: list[str] = Field(default=[], description="Only of these services of the catalogue.")
    zones: list[str] = Field(default=[], description="Only of these zones.")
    alerts: list[str] = Field(default=[], description="Only these alerts.")


def configuration(
    receivers: Sequence[Receiver], routes: Sequence[Route], durations: dict[str, str]
) -> dict[str, Any]:
    """Return alertmanager.yml.

    Args:
        receivers: Who is told.
        routes: Who is told of what; what no route names goes by the receivers' severities.
        durations: `group_wait`, `group_interval`, `repeat_interval`.
    """
    own = [entry for route in routes for entry in _routes(route)]
    usual = [
        {
            "receiver": receiver.name,
            "matchers": [f'severity=~"{"|".join(receiver.severities)}"'],
            "continue": True,
            **({"repeat_interval": receiver.repeat} if receiver.repeat else {}),
        }
        for receiver in receivers
    ]
    return {
        "route": {
            "receiver": NOBODY,
            "group_by": ["alertname", "host", "zone", "from_zone"],
            **durations,
            "routes": [*own, *usual],
        },
        "inhibit_rules": _inhibitions(),
        "receivers": [{"name": NOBODY}, *(_receiver(receiver) for receiver in receivers)],
    }


def relay(receivers: Iterable[Receiver]) -> dict[str, dict[str, str]]:
    """Return what the relay is told: kind, url, language and secret of each robot, by name."""
    return {
        receiver.name: {
            "kind": receiver.kind,
            "url": str(receiver.url),
            "secret": receiver.secret,
            "language": receiver.language,
        }
        for receiver in receivers
        if receiver.kind in ROBOTS
    }


def _routes(route: Route) -> list[dict[str, Any]]:
    """Return a route for each receiver; Alertmanager goes on to the next but after the last."""
    wanted: dict[str, Sequence[str]] = {
        "severity": route.severities,
        "service": route.services,
        "zone": route.zones,
        "alertname": route.alerts,
    }
    matchers = [f'{label}=~"{"|".join(values)}"' for label, values in wanted.items() if values]
    return [
        {
            "receiver": name,
            **({"matchers": matchers} if matchers else {}),
            "continue": name != route.to[-1],
        }
        for name in route.to
    ]


def _inhibitions() -> list[dict[str, Any]]:
    """Return what is not told while something worse says it already."""
    return [
        # A host that is away explains all that is missing on it.
        {
            "source_matchers": ['alertname="HostDown"'],
            "target_matchers": ['alertname!="HostDown"'],
            "equal": ["site", "host"],
        },
        {
            "source_matchers": ['alertname="ServiceDown"'],
            "target_matchers": [
                'alertname=~"TargetDown|ServiceUnreachable|UnitFailed|.*Down"',
                'alertname!="ServiceDown"',
            ],
            "equal": ["site", "host", "service"],
        },
        *(
            {
                "source_matchers": [f'severity="{worse}"'],
                "target_matchers": [f'severity="{SEVERITIES[at + 1]}"'],
                "equal": ["site", "alertname", "host", "service", "instance"],
            }
            for at, worse in enumerate(SEVERITIES[:2])
        ),
    ]


def _receiver(receiver: Receiver) -> dict[str, Any]:
    entry: dict[str, Any] = {"send_resolved": True}
    match receiver.kind:
        case "webhook":
            entry["url"] = receiver.url
            if receiver.secret:
                entry["http_config"] = {"authorization": {"credentials": receiver.secret}}
        case "email":
            entry |= {
                "to": ", ".join(receiver.to),
                "from": receiver.from_address,
                "smarthost": receiver.smarthost,
                "headers": {"Subject": _SUBJECT},
                "html": "",
                "text": _TEXT,
            }
            if receiver.username:
                entry |= {"auth_username": receiver.username, "auth_password": receiver.secret}
        case "wechat":
            entry |= {
                "corp_id": receiver.corp_id,
                "agent_id": receiver.agent_id,
                "to_user": receiver.to_user,
                "api_secret": receiver.secret,
                "message": _TEXT,
            }
        case _:
            entry["url"] = f"{RELAY}/{receiver.name}"
    integration = receiver.kind if receiver.kind in {"email", "wechat"} else "webhook"
    return {"name": receiver.name, f"{integration}_configs": [entry]}


_SUBJECT = "[{{ .Status }}] {{ .CommonLabels.site }}: {{ .GroupLabels.alertname }} {{ .GroupLabels.host }}"
_TEXT = """{{ range .Alerts }}{{ .Status }}: {{ .Labels.alertname }} ({{ .Labels.severity }})
{{ .Annotations.summary_zh }}
{{ .Annotations.summary }}
{{ .Annotations.impact }}
$ {{ .Annotations.command }}
{{ .Annotations.runbook_url }}

{{ end }}"""
