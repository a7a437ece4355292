"""The stores that lines are brought to. Each keeps a line once, however often it comes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rackwright.logs.agent.client import Client
from rackwright.logs.agent.counts import Counts
from rackwright.logs.agent.record import Record
from rackwright.logs.agent.relp import Relp
from rackwright.logs.agent.wire import UndeliveredError

_CREATED, _CONFLICT, _TOO_LARGE, _TOO_MANY = 201, 409, 413, 429
_JSON = {"Content-Type": "application/json"}
_LINES = {"Content-Type": "application/x-ndjson"}
# Of a syslog message (RFC 5424) with nothing but its text: local0, info.
_HEADER = b"<134>1 - - - - - - "
# What is worth trying again at once, and for how long, before the batch goes back to the queue.
_TRIES = 4


class Store(Protocol):
    """Takes a batch."""

    def store(self, records: Sequence[Record]) -> None:
        """Store all of it.

        Raises:
            UndeliveredError: Not all of it could be stored; it must come again.
        """


def document(record: Record, host: str) -> dict[str, Any]:
    """Return what Elasticsearch and Logstash get of a line; the index template has the same names."""
    found: dict[str, Any] = {
        "@timestamp": record.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "host": {"name": host},
        "service": {"name": record.service},
        "log": {"source": record.source, "stream": record.stream, "position": record.position},
        "message": record.text,
    }
    if record.level:
        found["log"]["level"] = record.level
    if record.fields:
        found["fields"] = record.fields
    return found


class Elasticsearch:
    """`POST /_bulk` with `create`: an id that is there is refused (409), which is as good as stored."""

    def __init__(
        self, client: Client, host: str, prefix: str, counts: Counts, refuse: Callable[[Record, str], None]
    ) -> None:
        self._client = client
        self._host = host
        self._prefix = prefix
        self._counts = counts
        self._refuse = refuse

    def store(self, records: Sequence[Record]) -> None:
        """See `Store`."""
        documents = [(record, document(record, self._host)) for record in records]
        for attempt in range(_TRIES):
            documents = self._once(documents)
            if not documents:
                return
            self._counts.retries += 1
            time.sleep(0.2 * 2**attempt)
        raise UndeliveredError(f"Elasticsearch does not take {len(documents)} lines now")

    def _once(self, documents: list[tuple[Record, dict[str, Any]]]) -> list[tuple[Record, dict[str, Any]]]:
        """Send; return what has to be sent again."""
        body = b"".join(self._action(record) + _dumped(content) for record, content in documents)
        status, answer = self._client.post(
            "/_bulk?filter_path=errors,items.*.status,items.*.error.type", body, _LINES
        )
        if status == _TOO_LARGE and len(documents) > 1:
            middle = len(documents) // 2
            return self._once(documents[:middle]) + self._once(documents[middle:])
        if status == _TOO_LARGE:
            self._refuse(documents[0][0], "too large")
            return []
        if status not in {200, _TOO_MANY}:
            raise UndeliveredError(f"Elasticsearch answers {status}")
        if status == _TOO_MANY:
            return documents
        again = []
        for (record, content), item in zip(documents, json.loads(answer)["items"], strict=True):
            told = item["create"]
            if told["status"] in {200, _CREATED}:
                self._counts.sent += 1
            elif told["status"] == _CONFLICT:
                self._counts.duplicates += 1
            elif told["status"] == _TOO_MANY or told["status"] >= 500:  # noqa: PLR2004 - a server's own failures
                again.append((record, content))
            elif "fields" in content:
                # What it holds contradicts the mapping: the line itself is still worth having.
                content.pop("fields")
                again.append((record, content))
            else:
                self._refuse(record, str(told.get("error", {}).get("type", told["status"])))
        return again

    def _action(self, record: Record) -> bytes:
        index = f"{self._prefix}-{record.time:%Y.%m.%d}"
        return _dumped({"create": {"_index": index, "_id": record.id}})


class Logstash:
    """Logstash's http input: 200 once the batch is in its persistent queue; it creates by `event.id`."""

    def __init__(self, client: Client, host: str, counts: Counts) -> None:
        self._client = client
        self._host = host
        self._counts = counts

    def store(self, records: Sequence[Record]) -> None:
        """See `Store`."""
        batch = [{**document(record, self._host), "event": {"id": record.id}} for record in records]
        status, _ = self._client.post("/", _dumped(batch), _JSON)
        if status != 200:  # noqa: PLR2004 - what the input answers when it has taken them
            raise UndeliveredError(f"Logstash answers {status}")
        self._counts.sent += len(batch)


class LogServer:
    """The log server: rsyslog takes each line by RELP; who reads tells by the id what came twice."""

    def __init__(self, relp: Relp, counts: Counts) -> None:
        self._relp = relp
        self._counts = counts

    def store(self, records: Sequence[Record]) -> None:
        """See `Store`. Which host it is of the server tells by the caller's address."""
        self._relp.send([_HEADER + _dumped(kept_line(record)).rstrip() for record in records])
        self._counts.sent += len(records)


def kept_line(record: Record) -> dict[str, Any]:
    """Return what the log server keeps of a line; its JSON, where it is some, is in the text."""
    found: dict[str, Any] = {
        "time": record.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "id": record.id,
        "service": record.service,
        "source": record.source,
        "stream": record.stream,
        "position": record.position,
        "text": record.text,
    }
    return {**found, "level": record.level} if record.level else found


class Loki:
    """`POST /loki/api/v1/push`: a line that is there with the same labels and time is kept once."""

    def __init__(
        self, client: Client, host: str, counts: Counts, refuse: Callable[[Record, str], None]
    ) -> None:
        self._client = client
        self._host = host
        self._counts = counts
        self._refuse = refuse

    def store(self, records: Sequence[Record]) -> None:
        """See `Store`."""
        streams: dict[tuple[str, str, str], list[list[str]]] = {}
        for record in records:
            labels = (record.service, record.source, record.stream)
            # Lines of one microsecond are told apart, and stay in order, by where they stood.
            nanoseconds = int(record.time.timestamp() * 1_000_000) * 1000 + record.position % 1000
            streams.setdefault(labels, []).append([str(nanoseconds), record.text])
        body = {
            "streams": [
                {
                    "stream": {"host": self._host, "service": service, "source": source, "stream": stream},
                    "values": values,
                }
                for (service, source, stream), values in streams.items()
            ]
        }
        status, answer = self._client.post("/loki/api/v1/push", _dumped(body), _JSON)
        if status == 204:  # noqa: PLR2004 - what Loki answers
            self._counts.sent += len(records)
        elif status == 400:  # noqa: PLR2004 - lines that it will never take
            if len(records) == 1:
                self._refuse(records[0], answer.decode("utf-8", "replace")[:200])
                return
            for record in records:
                self.store([record])
        else:
            raise UndeliveredError(f"Loki answers {status}")


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
