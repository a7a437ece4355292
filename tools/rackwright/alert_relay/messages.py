"""A message for each kind of robot, from what Alertmanager sends to a webhook.

Sources: DingTalk, https://open.dingtalk.com/document/robots/custom-robot-access; Feishu,
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot; WeCom,
https://developer.work.weixin.qq.com/document/path/91770.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_WORDS = {
    "en": {"firing": "ALERT", "resolved": "Resolved", "since": "since", "more": "and {} more"},
    "zh": {"firing": "告警", "resolved": "已恢复", "since": "开始于", "more": "另有 {} 条"},
}
_COLOURS = {"critical": "red", "warning": "orange", "info": "blue"}
# A robot's message may be about 4,096 bytes long (WeCom); this many alerts of one group fit.
MOST_ALERTS = 6
WECOM_BYTES = 4000


@dataclass(frozen=True)
class Message:
    """What is sent: the address, with a signature in it where the robot wants it there, and the body."""

    url: str
    body: dict[str, Any]


def message(robot: Mapping[str, str], told: Mapping[str, Any], now: float) -> Message:
    """Return the message for a robot.

    Args:
        robot: kind, url, secret, language.
        told: What Alertmanager sends (version 4).
        now: Epoch seconds, for the signature.
    """
    return _KINDS[robot["kind"]](robot, told, now)


def title(told: Mapping[str, Any], language: str) -> str:
    """Return the first line: state, site, and the alert in the reader's language."""
    alert = told["alerts"][0]
    word = _WORDS[language]["resolved" if told["status"] == "resolved" else "firing"]
    labels, notes = alert["labels"], alert["annotations"]
    name = notes.get("summary_zh") if language == "zh" else None
    where = labels.get("host") or labels.get("zone") or ""
    return " ".join(filter(None, (f"[{word}]", labels.get("site", ""), name or labels["alertname"], where)))


def lines(told: Mapping[str, Any], language: str) -> list[str]:
    """Return what is said of each alert, in Markdown."""
    words = _WORDS[language]
    found: list[str] = []
    for alert in told["alerts"][:MOST_ALERTS]:
        labels, notes = alert["labels"], alert["annotations"]
        state = words["resolved"] if alert["status"] == "resolved" else labels.get("severity", "")
        found.append(f"**{labels['alertname']}** ({state}) {notes.get('summary', '')}")
        if alert["status"] != "resolved":
            found += [notes.get("impact", ""), f"> {notes.get('command', '')}", notes.get("runbook_url", "")]
        found.append(f"{words['since']} {alert.get('startsAt', '')[:19]}")
    if len(told["alerts"]) > MOST_ALERTS:
        found.append(words["more"].format(len(told["alerts"]) - MOST_ALERTS))
    return [line for line in found if line]


def _dingtalk(robot: Mapping[str, str], told: Mapping[str, Any], now: float) -> Message:
    url = robot["url"]
    if robot.get("secret"):
        stamp = str(round(now * 1000))
        signed = _signed(robot["secret"].encode(), f"{stamp}\n{robot['secret']}".encode())
        url += f"{'&' if '?' in url else '?'}timestamp={stamp}&sign={urllib.parse.quote_plus(signed)}"
    head = title(told, robot["language"])
    text = "\n\n".join([f"### {head}", *lines(told, robot["language"])])
    return Message(url, {"msgtype": "markdown", "markdown": {"title": head, "text": text}})


def _feishu(robot: Mapping[str, str], told: Mapping[str, Any], now: float) -> Message:
    severity = told["alerts"][0]["labels"].get("severity", "")
    colour = "green" if told["status"] == "resolved" else _COLOURS.get(severity, "grey")
    head = title(told, robot["language"])
    body: dict[str, Any] = {
        "msg_type": "interactive",
        "card": {
            "header": {
                "title": {"tag": "plain_text", "content": head},
                "template": colour,
            },
            "elements": [{"tag": "markdown", "content": "\n".join(lines(told, robot["language"]))}],
        },
    }
    if robot.get("secret"):
        stamp = str(int(now))
        # The robot's rule: time and secret are the key, and the text is empty.
        body |= {"timestamp": stamp, "sign": _signed(f"{stamp}\n{robot['secret']}".encode(), b"")}
    return Message(robot["url"], body)


def _wecom(robot: Mapping[str, str], told: Mapping[str, Any], _now: float) -> Message:
    text = "\n".join([f"### {title(told, robot['language'])}", *lines(told, robot["language"])])
    content = text.encode()[:WECOM_BYTES].decode(errors="ignore")
    return Message(robot["url"], {"msgtype": "markdown", "markdown": {"content": content}})


def _signed(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


_KINDS: Mapping[str, Callable[[Mapping[str, str], Mapping[str, Any], float], Message]] = {
    "dingtalk": _dingtalk,
    "feishu": _feishu,
    "wecom": _wecom,
}
# Where each says that it took the message; it answers 200 when it did not, too.
RESULT = {"dingtalk": "errcode", "feishu": "code", "wecom": "errcode"}
