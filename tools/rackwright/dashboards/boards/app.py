"""The app's business: answers, documents, searches, workflows, what rules refused."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Query, Row
from rackwright.dashboards.panels import quantiles, query, rate, stat, time

_P = "rackwright_app_"
_QUIET = "nothing of the kind happened yet"


def _count(name: str, by: str, rare: str = _QUIET) -> Query:
    return query(rate(f"{_P}{name}_total", by), f"{{{{{by}}}}}", "app", rare)


APP = Board(
    "rackwright-app",
    "App",
    "What people do, how long it takes, and what the app refuses.",
    (
        Row(
            "Now",
            (
                stat("Active sessions", query(f"max({_P}active_sessions)", "", "app")),
                stat("Answers being written", query(f"sum({_P}open_streams)", "", "app")),
                stat(
                    "Searches that found something",
                    query(
                        f'100 * sum(rate({_P}retrievals_total{{outcome="hit"}}[1h]))'
                        f" / sum(rate({_P}retrievals_total[1h]))",
                        "",
                        "app",
                        "nobody has searched within the hour",
                    ),
                    about="Within the last hour: the hit rate.",
                    unit="percent",
                ),
                stat(
                    "Uploads that went well",
                    query(
                        f'100 * sum(rate({_P}uploads_total{{outcome="ready"}}[1h]))'
                        f" / sum(rate({_P}uploads_total[1h]))",
                        "",
                        "app",
                        "nobody has uploaded within the hour",
                    ),
                    about="Within the last hour; the plan's bound is 95 %.",
                    unit="percent",
                    warn=98.0,
                    bad=95.0,
                    low=True,
                ),
                stat(
                    "Audit lines that were lost",
                    query(f"sum({_P}audit_failures_total)", "", "app"),
                    about="None may ever be.",
                    warn=1.0,
                    bad=1.0,
                ),
                stat(
                    "Audit trail",
                    query("min(rackwright_audit_chain_ok)", "", "app", "it is looked at once an hour"),
                    about="Whether no line was removed or changed.",
                    names=((0, "broken"), (1, "whole")),
                    bad=1.0,
                    low=True,
                ),
                stat("Version", query(f"count by (version) ({_P}info)", "{{version}}", "app")),
            ),
        ),
        Row(
            "Requests",
            (
                time("By answer", _count("requests", "status", ""), unit="reqps", stacked=True),
                time("By path", _count("requests", "route", ""), unit="reqps", stacked=True),
                quantiles(
                    "Time of chats",
                    f"{_P}request_seconds",
                    "app",
                    where='route="/api/chat"',
                    rare=_QUIET,
                ),
            ),
        ),
        Row(
            "Inference",
            (
                quantiles("Time of a whole answer", f"{_P}inference_seconds", "app", rare=_QUIET),
                quantiles("Time to the first token", f"{_P}first_token_seconds", "app", rare=_QUIET),
                time("Tokens", _count("tokens", "kind")),
            ),
        ),
        Row(
            "Documents",
            (
                quantiles(
                    "Time of a search",
                    f"{_P}retrieval_seconds",
                    "app",
                    about="The plan's bound is 1 s for 95 of 100.",
                ),
                time("Searches by outcome", _count("retrievals", "outcome"), unit="reqps", stacked=True),
                time("Uploads by outcome", _count("uploads", "outcome"), unit="reqps", stacked=True),
            ),
        ),
        Row(
            "Workflows and users",
            (
                time("Workflows by outcome", _count("workflows", "outcome"), unit="reqps"),
                time("Tries to sign in", _count("sign_ins", "outcome"), unit="reqps"),
                time(
                    "Ranked by words for want of a cross-encoder",
                    query(rate(f"{_P}rerank_fallbacks_total"), needs="app"),
                    unit="reqps",
                ),
            ),
        ),
        Row(
            "Refused",
            (
                time("Tokens that were not valid", _count("refused_tokens", "reason"), unit="reqps"),
                time("Messages that a rule refused", _count("refused_messages", "rule"), unit="reqps"),
                time(
                    "Hours used up, answers masked",
                    query(rate(f"{_P}rate_limited_total"), "{{host}} limited", "app"),
                    query(rate(f"{_P}masked_answers_total"), "{{host}} masked", "app"),
                    unit="reqps",
                ),
            ),
        ),
    ),
)
