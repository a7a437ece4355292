"""Pipelines of the double of Logstash at work: filters, outputs, the dead-letter queue, and their numbers."""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import Json, fail, say
from pipeline_language import Branch, Event, Plugin, Text, at, put, remove
from pipeline_queue import Queue

_CONFLICT = 409
_DEAD = {400, 404}
_OK = {200, 201}


class Elasticsearch:
    """The output of that name: bulk requests, as often as it takes."""

    def __init__(self, options: Json, refused: Queue | None) -> None:
        self.documents: Counter[str] = Counter()
        self._options, self._refused = options, refused
        self._context = ssl.create_default_context(cafile=options["ssl_certificate_authorities"][0])
        self._context.check_hostname = options.get("ssl_verification_mode", "full") == "full"
        token = base64.b64encode(f"{options['user']}:{options['password']}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/x-ndjson"}
        self._told = False

    def send(self, events: list[Event], stopped: threading.Event) -> bool:
        """Store events; False when the program ends meanwhile: they stay in the queue."""
        pause = 0.5
        while events and not stopped.is_set():
            answer = self._bulk(events)
            if answer is not None:
                events = [
                    event
                    for event, item in zip(events, answer["items"], strict=True)
                    if self._again(event, item)
                ]
            if events:
                stopped.wait(pause)
                pause = min(5.0, pause * 2)
        return not events

    def _bulk(self, events: list[Event]) -> Json | None:
        body = b"".join(
            json.dumps(line, ensure_ascii=False).encode() + b"\n"
            for event in events
            for line in self._lines(event)
        )
        request = urllib.request.Request(  # noqa: S310 - the site's own address
            f"{self._options['hosts'][0]}/_bulk", body, self._headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=30) as found:  # noqa: S310
                answer: Json = json.load(found)
                self._told = False
                return answer
        except OSError as error:
            if not self._told:
                say(f"Attempted to send a bulk request but Elasticsearch appears to be down: {error}")
            self._told = True
            return None

    def _lines(self, event: Event) -> list[Json]:
        names = {"_index": self._filled("index", event), "_id": self._filled("document_id", event)}
        stored = {key: value for key, value in event.items() if key != "@metadata"}
        return [{self._options.get("action", "index"): names}, stored]

    def _filled(self, option: str, event: Event) -> str:
        moment = datetime.fromisoformat(str(event["@timestamp"]))

        def value(match: re.Match[str]) -> str:
            if match[1] == "+yyyy.MM.dd":
                return f"{moment:%Y.%m.%d}"
            # One that is not there stays as it is written.
            return str(found) if (found := at(event, match[1])) is not None else match[0]

        return re.sub(r"%\{([^}]+)\}", value, self._options[option])

    def _again(self, event: Event, item: Json) -> bool:
        told = next(iter(item.values()))
        if told["status"] in _OK:
            self.documents["successes"] += 1
        elif told["status"] == _CONFLICT:
            self.documents["non_retryable_failures"] += 1
        elif told["status"] in _DEAD:
            self.documents["dlq_routed"] += 1
            reason = f"Could not index event to Elasticsearch. status: {told['status']}, response: {item}"
            if self._refused is None:
                say(reason)
            else:
                entry = {"reason": reason, "plugin_type": "elasticsearch"}
                self._refused.put([{**event, "@metadata": {"dead_letter_queue": entry}}])
        else:
            self.documents["retryable_failures"] += 1
            return True
        return False


class Pipeline:
    """One pipeline with its queue and its one worker."""

    def __init__(self, name: str, text: Text, settings: Json, data: Path) -> None:
        self.name, self.text, self.settings = name, text, settings
        self.queue = Queue(data / "queue" / name, settings["queue.max_bytes"])
        self.refused = (
            Queue(data / "dead_letter_queue" / name, settings["dead_letter_queue.max_bytes"])
            if settings.get("dead_letter_queue.enable")
            else None
        )
        self.events: Counter[str] = Counter()
        self.stores = {
            id(plugin): Elasticsearch(plugin.options, self.refused)
            for plugin in text.plugins("output")
            if plugin.name == "elasticsearch"
        }

    def start(self, others: dict[str, Pipeline], stopped: threading.Event) -> list[threading.Thread]:
        """Work until the end. `others`: the pipelines by their inputs' addresses, and by their names."""
        threads = [threading.Thread(target=self._work, args=(others, stopped), name=self.name)]
        threads += [
            threading.Thread(target=self._revive, args=(others[plugin.options["pipeline_id"]], stopped))
            for plugin in self.text.plugins("input")
            if plugin.name == "dead_letter_queue"
        ]
        for thread in threads:
            thread.start()
        return threads

    def _revive(self, other: Pipeline, stopped: threading.Event) -> None:
        if other.refused is None:
            fail(f"{self.name}: {other.name} has no dead-letter queue")
        while not stopped.is_set():
            if taken := other.refused.take(100, 1.0):
                self.queue.put([event for _, event in taken])
                other.refused.done([number for number, _ in taken])

    def _work(self, others: dict[str, Pipeline], stopped: threading.Event) -> None:
        while not stopped.is_set():
            taken = self.queue.take(self.settings["pipeline.batch.size"], 0.5)
            if not taken:
                continue
            self.events["in"] += len(taken)
            leaving: dict[int, tuple[Plugin, list[Event]]] = {}
            for _, event in taken:
                self._through(self.text.sections["filter"], event, None)
                self._through(self.text.sections["output"], event, leaving)
            if not all(self._left(plugin, events, others, stopped) for plugin, events in leaving.values()):
                return
            self.queue.done([number for number, _ in taken])
            self.events["out"] += len(taken)

    def _left(
        self, plugin: Plugin, events: list[Event], others: dict[str, Pipeline], stopped: threading.Event
    ) -> bool:
        if plugin.name == "elasticsearch":
            return self.stores[id(plugin)].send(events, stopped)
        for address in plugin.options["send_to"]:
            while not others[address].queue.put(events, 0.5):
                if stopped.is_set():
                    return False
        return True

    def _through(
        self, statements: list[Any], event: Event, leaving: dict[int, tuple[Plugin, list[Event]]] | None
    ) -> None:
        for statement in statements:
            if isinstance(statement, Branch):
                arm = next((inner for holds, inner in statement.arms if holds(event)), [])
                self._through(arm, event, leaving)
            elif leaving is None:
                mutated(event, statement.options)
            else:
                leaving.setdefault(id(statement), (statement, []))[1].append(event)

    def told(self) -> Json:
        """Return its part of `GET /_node/stats`."""
        outputs = [
            {"id": f"{plugin.name}-{number}", "name": plugin.name}
            | ({"documents": dict(store.documents)} if (store := self.stores.get(id(plugin))) else {})
            for number, plugin in enumerate(self.text.plugins("output"))
        ]
        found: Json = {
            "events": {"in": self.events["in"], "filtered": self.events["in"], "out": self.events["out"]},
            "plugins": {"inputs": [], "codecs": [], "filters": [], "outputs": outputs},
            "queue": {
                "type": "persisted",
                "events_count": self.queue.count(),
                "queue_size_in_bytes": self.queue.bytes,
                "max_queue_size_in_bytes": self.queue.max_bytes,
            },
        }
        if self.refused is not None:
            # Its first byte is the version of the file's form.
            found["dead_letter_queue"] = {
                "queue_size_in_bytes": 1 + self.refused.bytes,
                "max_queue_size_in_bytes": self.refused.max_bytes,
                "storage_policy": self.settings.get("dead_letter_queue.storage_policy", "drop_newer"),
            }
        return found


def mutated(event: Event, options: Json) -> None:
    """Do what `mutate` says, in the order in which it does it, whatever the order in the file."""
    for name, text in options.get("replace", {}).items():
        put(event, name, text)
    for name, kind in options.get("convert", {}).items():
        value = at(event, name)
        if value is not None:
            put(event, name, int(float(value)) if kind == "integer" else str(value))
    for name in options.get("remove_field", []):
        remove(event, name)
    if unknown := set(options) - {"replace", "convert", "remove_field", "id"}:
        fail(f"the double's mutate does not do {', '.join(sorted(unknown))}")


def now() -> str:
    """Return the present as Logstash writes it."""
    return datetime.now(tz=UTC).isoformat()
