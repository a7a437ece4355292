"""The program between rsyslog and the log store: its protocol, what it stores, and how a line stays one."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.logs.agent.client import Client
from rackwright.logs.agent.counts import Counts, rendered, waiting
from rackwright.logs.agent.main import Sender
from rackwright.logs.agent.objects import found_object, holds
from rackwright.logs.agent.record import LONGEST, Entries, Record, Sources, record_of
from rackwright.logs.agent.stores import Elasticsearch, Logstash, Loki, document
from rackwright.logs.agent.wire import UndeliveredError, serve
from rackwright.site.paths import repository_root

SOURCES = Sources(
    host="app1",
    files={
        "f1": {"service": "nginx", "path": "/var/log/nginx/*.log", "format": "json"},
        "f2": {"service": "postgresql", "path": "/var/log/postgresql/*.log", "format": "text"},
    },
    journals={"ssh.service": "sshd"},
    containers={"vllm": "vllm"},
)
READ = "2026-11-26T12:00:00.123456+00:00"


def line(text: str, **more: object) -> bytes:
    told = {"input": "imfile", "read": READ, "tag": "f2", "file": "/var/log/postgresql/a.log", "offset": "0"}
    return json.dumps({**told, "line": text, **more}).encode()


def test_each_message_is_answered_before_the_next() -> None:
    stored: list[list[bytes]] = []
    out = io.BytesIO()
    serve([b"BEGIN TRANSACTION\n", b"one\n", b"two\n", b"COMMIT TRANSACTION\n"], out, stored.append)
    assert out.getvalue().split(b"\n")[:-1] == [b"OK", b"OK", b"DEFER_COMMIT", b"DEFER_COMMIT", b"OK"]
    assert stored == [[b"one", b"two"]]


def test_a_batch_is_tried_until_it_is_stored_and_rsyslog_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    told: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda _, text: told.append(text))
    settings = {
        "host": "app1",
        "files": SOURCES.files,
        "journals": {},
        "containers": {},
        "kind": "elasticsearch",
        "urls": ["https://10.0.0.1:9200"],
        "authority": "",
        "index": "x",
        "refused": str(tmp_path / "refused.json"),
    }
    sender = Sender(settings, {})
    answers: list[Any] = [UndeliveredError("away"), UndeliveredError("away"), None]

    def store(_: object) -> None:
        answer = answers.pop(0)
        if answer:
            raise answer

    monkeypatch.setattr(sender, "_store", type("Store", (), {"store": staticmethod(store)}))
    sender.deliver([line("13812345678")])
    assert pauses == [0.5, 1.0]
    assert len(told) == 2
    assert (sender.counts.failures, sender.counts.masked, sender.counts.store_up) == (2, 1, True)


def test_a_line_has_one_id_however_often_and_under_whichever_name_it_is_read() -> None:
    first = record_of(line("a line", offset="77"), SOURCES)
    again = record_of(line("a line", offset="77", read="2026-11-26T13:00:00+00:00"), SOURCES)
    turned = record_of(line("a line", offset="77", file="/var/log/postgresql/a.log.1"), SOURCES)
    assert first.id == again.id == turned.id
    others = [
        line("a line", offset="78"),
        line("another", offset="77"),
        line("a line", offset="77", file="/var/log/postgresql/b.log"),
    ]
    assert len({first.id, *(record_of(raw, SOURCES).id for raw in others)}) == 4


@pytest.mark.parametrize(
    ("raw", "service", "source", "stream"),
    [
        (line("2026-11-26 11:59:58.5 UTC [1] LOG: x"), "postgresql", "file", "/var/log/postgresql/a.log"),
        (line('{"time":"2026-11-26T11:59:58.5Z"}', tag="f1"), "nginx", "file", "/var/log/postgresql/a.log"),
        (
            line(
                '{"log":"x\\n","stream":"stdout","attrs":{"tag":"vllm_1"},"time":"2026-11-26T11:59:58.500000001Z"}',
                tag="container",
            ),
            "vllm",
            "container",
            "vllm_1",
        ),
    ],
    ids=["text", "json", "container"],
)
def test_a_line_says_itself_when_it_was_written(raw: bytes, service: str, source: str, stream: str) -> None:
    record = record_of(raw, SOURCES)
    assert (record.service, record.source, record.stream) == (service, source, stream)
    assert record.time.isoformat() == "2026-11-26T11:59:58.500000+00:00"


def test_a_line_that_goes_on_has_the_time_of_its_entry_and_an_id_of_its_own() -> None:
    entries = Entries()
    raws = [
        line("\tof an entry that began before this program did", offset="0"),
        line("2026-11-26 11:59:58.5 UTC [1] LOG:  execute", offset="10"),
        line("\tselect 1", offset="50"),
        line("\telse", offset="50", file="/var/log/postgresql/b.log"),
    ]
    read = [record_of(raw, SOURCES) for raw in raws]
    joined = [entries.joined(record) for record in read]
    times = [record.time.isoformat()[11:23] for record in joined]
    assert times == ["12:00:00.123", "11:59:58.500", "11:59:58.500", "12:00:00.123"]
    assert [record.id for record in joined] == [record.id for record in read]
    assert len({record.id for record in joined}) == 4


def test_the_journal_tells_unit_and_level() -> None:
    raw = line("Accepted", input="imjournal", unit="ssh.service", priority="6", pid="12")
    record = record_of(raw, SOURCES)
    assert (record.service, record.source, record.stream, record.level) == (
        "sshd",
        "journal",
        "ssh.service",
        "info",
    )
    assert record.position == int(record.time.timestamp() * 1_000_000)
    other = record_of(line("x", input="imjournal", unit="other.service"), SOURCES)
    assert other.service == "system"


SECRETS = [
    ("call 13812345678 now", "call 138****5678 now"),
    ("card 110101199003071234", "card 110101********1234"),
    ("mail someone@example.com", "mail so***@example.com"),
    ("key sk-abcdefghijklmnopqrstuvwx", "key ***"),
    ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc", "token ***"),
]


@pytest.mark.parametrize(("text", "kept"), SECRETS, ids=[text.split()[0] for text, _ in SECRETS])
def test_what_the_app_masks_is_masked_again(text: str, kept: str) -> None:
    for raw in (line(text), line(text, input="imjournal", unit="ssh.service")):
        record = record_of(raw, SOURCES)
        assert record.text == kept
        assert record.masked
    body = json.dumps({"event": text, "password": "hunter2"})
    record = record_of(line(body, tag="f1"), SOURCES)
    assert record.fields == {"event": kept, "password": "***"}
    assert "hunter2" not in record.text
    # What is masked stays as it is.
    assert record_of(line(kept), SOURCES).text == kept


def test_a_line_that_is_no_json_or_far_too_long_is_stored_all_the_same() -> None:
    broken = record_of(line('{"half', tag="f1"), SOURCES)
    assert (broken.text, broken.fields) == ('{"half', None)
    assert len(record_of(line("x" * 50_000), SOURCES).text) == LONGEST


class Answers(Client):
    """Answers as it was told, and remembers what it was asked."""

    def __init__(self, answers: Sequence[Any]) -> None:
        super().__init__(["https://10.0.0.1:9200"], "")
        self.answers = list(answers)
        self.asked: list[tuple[str, list[Any]]] = []

    def request(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, bytes]:  # noqa: ANN401, ARG002
        self.asked.append((path, [json.loads(part) for part in body.splitlines()]))
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            return answer, b""
        return 200, json.dumps({"items": [{"create": item} for item in answer]}).encode()


def records(count: int) -> list[Record]:
    return [
        record_of(line(f'{{"n":{number}}}', tag="f1", offset=str(number)), SOURCES) for number in range(count)
    ]


def elasticsearch(answers: Sequence[Any]) -> tuple[Elasticsearch, Answers, Counts, list[str]]:
    client, counts, refused = Answers(answers), Counts(), list[str]()
    store = Elasticsearch(client, "app1", "ai-platform", counts, lambda _, reason: refused.append(reason))
    return store, client, counts, refused


def test_a_line_that_is_there_already_counts_as_stored() -> None:
    store, client, counts, _ = elasticsearch([[{"status": 201}, {"status": 409}]])
    store.store(records(2))
    assert (counts.sent, counts.duplicates) == (1, 1)
    action = client.asked[0][1][0]["create"]
    assert action["_index"] == "ai-platform-2026.11.26"
    assert action["_id"] == records(1)[0].id


def test_only_what_was_not_stored_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    store, client, counts, _ = elasticsearch(
        [[{"status": 201}, {"status": 429}, {"status": 503}], [{"status": 201}, {"status": 201}]]
    )
    store.store(records(3))
    assert counts.sent == 3
    assert [len(body) // 2 for _, body in client.asked] == [3, 2]


def test_what_contradicts_the_mapping_is_stored_without_its_fields_and_refused_only_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    wrong = {"status": 400, "error": {"type": "document_parsing_exception"}}
    store, client, counts, refused = elasticsearch([[wrong, wrong], [{"status": 201}, wrong]])
    store.store(records(2))
    assert "fields" not in client.asked[1][1][1]
    assert (counts.sent, refused) == (1, ["document_parsing_exception"])


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_store_that_refuses_everybody_keeps_the_lines_waiting(status: int) -> None:
    store, _, counts, _ = elasticsearch([status])
    with pytest.raises(UndeliveredError, match=str(status)):
        store.store(records(1))
    assert counts.sent == 0


def test_a_batch_that_is_too_large_is_halved() -> None:
    store, client, counts, _ = elasticsearch([413, [{"status": 201}], [{"status": 201}]])
    store.store(records(2))
    assert counts.sent == 2
    assert len(client.asked) == 3


def test_logstash_gets_the_id_with_the_line() -> None:
    client, counts = Answers([200, 429]), Counts()
    store = Logstash(client, "app1", counts)
    store.store(records(2))
    sent = client.asked[0][1][0]
    assert [entry["event"]["id"] for entry in sent] == [record.id for record in records(2)]
    with pytest.raises(UndeliveredError):
        store.store(records(1))


def test_loki_gets_streams_in_order_with_times_of_their_own() -> None:
    client, counts = Answers([204]), Counts()
    Loki(client, "app1", counts, lambda *_: None).store(records(3))
    stream = client.asked[0][1][0]["streams"][0]
    assert stream["stream"]["service"] == "nginx"
    times = [int(time) for time, _ in stream["values"]]
    assert times == sorted(set(times))


def test_documents_have_the_names_of_the_index_template() -> None:
    template = yaml.safe_load(
        (repository_root() / "roles/elasticsearch/vars/main/objects.yml").read_text(encoding="utf-8")
    )
    body = template["__elasticsearch_objects"][1]["body"]
    known = body["template"]["mappings"]["properties"]

    def check(found: dict[str, Any], properties: dict[str, Any]) -> None:
        for name, value in found.items():
            assert name in properties
            if "properties" in properties[name]:
                check(value, properties[name]["properties"])

    for record in records(1):
        check({**document(record, "app1"), "event": {"id": record.id}}, known)


def test_the_queue_is_measured(tmp_path: Path) -> None:
    (tmp_path / "ship.qi").write_text(
        "<OPB:1:qqueue:1:\n+iQueueSize:2:4:1234:\n+x:2:1:0:\n", encoding="ascii"
    )
    (tmp_path / "ship.00000001").write_bytes(b"x" * 100)
    assert waiting(tmp_path)[0] == 1234
    text = rendered(Counts(sent=5), tmp_path, 1000)
    assert "rackwright_logs_sent_total 5\n" in text
    assert "rackwright_logs_waiting 1234\n" in text
    assert "rackwright_logs_waiting_limit_bytes 1000\n" in text


def test_an_object_is_in_force_when_all_that_is_wanted_is_there() -> None:
    assert holds({"a": 1, "b": {"c": "2", "d": True}}, {"b": {"c": 2, "d": "true"}})
    assert not holds({"a": [1, 2]}, {"a": [1]})
    assert not holds(None, {"a": 1})
    answer = {"index_templates": [{"name": "x", "index_template": {"priority": 200}}]}
    assert found_object("/_index_template/x", answer) == {"priority": 200}
    assert found_object("/_ilm/policy/x", {"x": {"policy": {"phases": {}}}}) == {"policy": {"phases": {}}}
