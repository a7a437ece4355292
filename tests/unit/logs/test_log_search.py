"""The same question to either store: what `rackwright logs` asks, and what Elasticsearch is asked."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rackwright.cli.main import cli
from rackwright.logs.agent.client import Client
from rackwright.logs.search.in_elasticsearch import found_in
from rackwright.logs.search.question import Line, Question, latest
from rackwright.operations import logs
from rackwright.operations.logs import moment

NOW = datetime(2026, 11, 27, 6, 30, tzinfo=UTC)


def hit(number: int, text: str) -> dict[str, Any]:
    log = {"source": "file", "stream": "/s", "position": number}
    at = NOW + timedelta(microseconds=number)
    return {
        "_id": f"{number:032x}",
        "sort": [number],
        "_source": {
            "@timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "host": {"name": "app1"},
            "service": {"name": "app"},
            "log": log,
            "message": text,
        },
    }


class Pages(Client):
    """Answers with documents, the latest first, as Elasticsearch does."""

    def __init__(self, hits: list[dict[str, Any]], status: int = 200) -> None:
        self.asked: list[dict[str, Any]] = []
        self._hits, self._status = hits, status

    def post(self, path: str, body: bytes, headers: Any) -> tuple[int, bytes]:  # noqa: ANN401, ARG002
        assert path == "/ai-platform-*/_search"
        told = json.loads(body)
        self.asked.append(told)
        after = told.get("search_after", [10**9])
        left = [entry for entry in self._hits if entry["sort"] < after][: told["size"]]
        return self._status, json.dumps({"hits": {"hits": left}}).encode()


def test_elasticsearch_is_asked_by_pages_until_there_is_enough() -> None:
    pages = Pages([hit(number, f"line {number}") for number in reversed(range(2500))])
    question = Question(
        NOW, NOW + timedelta(hours=1), frozenset({"app1"}), frozenset({"app"}), "line 1", 1200
    )
    lines, more = latest(found_in(pages, "ai-platform", question), question.limit)
    assert not more
    assert [line["position"] for line in lines] == [n for n in range(2500) if str(n).startswith("1")]
    assert [len(asked.get("search_after", [])) for asked in pages.asked] == [0, 1, 1]
    assert pages.asked[0]["query"]["bool"]["filter"] == [
        {
            "range": {
                "@timestamp": {"gte": "2026-11-27T06:30:00.000000Z", "lt": "2026-11-27T07:30:00.000000Z"}
            }
        },
        {"terms": {"host.name": ["app1"]}},
        {"terms": {"service.name": ["app"]}},
    ]
    pages.asked.clear()
    lines, more = latest(found_in(pages, "ai-platform", Question(NOW, NOW, limit=10)), 10)
    assert more
    assert [line["position"] for line in lines] == list(range(2490, 2500))
    assert len(pages.asked) == 1


def test_what_elasticsearch_refuses_is_told() -> None:
    with pytest.raises(ValueError, match="Elasticsearch answers 403"):
        list(found_in(Pages([], 403), "ai-platform", Question(NOW, NOW)))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-27T05:00", NOW - timedelta(minutes=90)),
        ("2026-11-27 13:00+08:00", NOW - timedelta(minutes=90)),
    ],
)
def test_times_are_said_as_people_say_them(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


def test_the_command_shows_lines_and_does_nothing_that_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Question] = []

    def found(_: object, question: Question) -> tuple[list[Line], bool]:
        asked.append(question)
        line = {"time": "2026-11-27T06:30:00.123456Z", "host": "app1", "service": "app", "id": "1"}
        return [{**line, "level": "error", "text": "失败 \x1b[2J\tnow"}], True

    monkeypatch.setattr(logs, "found", found)
    done = CliRunner().invoke(
        cli, ["logs", "--service", "app", "--host", "app1", "--grep", "(?i)FAIL", "--limit", "1"]
    )
    assert done.exit_code == 0, done.output
    assert "2026-11-27 06:30:00.123  app1  app  error  失败 \\x1b[2J\tnow\n" in done.output
    assert "these are the latest 1" in done.output
    assert (asked[0].services, asked[0].hosts, asked[0].grep, asked[0].limit) == (
        {"app"},
        {"app1"},
        "(?i)FAIL",
        1,
    )
    line = json.loads(CliRunner().invoke(cli, ["logs", "--json"]).output.splitlines()[0])
    assert line["text"] == "失败 \x1b[2J\tnow"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--grep", "("], "is no regular expression"),
        (["--since", "yesterday"], "is no time"),
        (["--follow", "--until", "1h"], "--follow goes on for ever"),
        (["--limit", "0"], "0 is not in the range"),
    ],
)
def test_bad_questions_are_refused_before_a_host_is_asked(words: list[str], told: str) -> None:
    done = CliRunner().invoke(cli, ["logs", *words])
    assert done.exit_code == 2
    assert told in done.output


def test_whoever_follows_sees_each_line_once_and_what_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime.now(UTC)
    batches = [["a"], ["a", "b"], ["late", "a", "b", "c"]]
    asked: list[Question] = []

    def found(_: object, question: Question) -> tuple[list[Line], bool]:
        asked.append(question)
        return [
            {"id": name, "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z")}
            for name in batches.pop(0)
        ], False

    monkeypatch.setattr(logs, "found", found)
    following = logs.follow([Path("x")], Question(at - timedelta(hours=1)))
    told = [[line["id"] for line in next(following)] for _ in range(3)]
    assert told == [["a"], ["b"], ["late", "c"]]
    assert at - asked[1].since <= timedelta(minutes=2)
