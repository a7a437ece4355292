"""The client of RELP, against a double of rsyslog that speaks as librelp's doc/relp.md says."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_log_agent import SOURCES, line

from rackwright.logs.agent.counts import Counts
from rackwright.logs.agent.record import record_of
from rackwright.logs.agent.relp import Relp
from rackwright.logs.agent.stores import LogServer
from rackwright.logs.agent.wire import UndeliveredError


class Double:
    """Takes connections one after another; `ends_after` syslog messages of the first it closes that."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.opened = 0
        self.ends_after: int | None = None
        self.refuses = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"relp://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self._session(stream)

    def _session(self, stream: Any) -> None:  # noqa: ANN401 - a file of both ways
        expected, taken = 1, 0
        while head := self._words(stream):
            number, command, length = head
            data = stream.read(length)
            assert stream.read(1) == b"\n"
            assert number == expected
            expected += 1
            if command == b"open":
                assert b"relp_version=0" in data
                self.opened += 1
                self._answer(stream, number, b"200 OK\nrelp_version=0\ncommands=syslog")
                continue
            assert command == b"syslog"
            if self.ends_after is not None and taken == self.ends_after:
                self.ends_after = None
                stream.write(b"0 serverclose 0\n")
                stream.flush()
                return
            if self.refuses and self.refuses in data:
                self._answer(stream, number, b"500 error")
                continue
            self.taken.append(data)
            taken += 1
            self._answer(stream, number, b"200 OK")

    @staticmethod
    def _words(stream: Any) -> tuple[int, bytes, int] | None:  # noqa: ANN401
        words = []
        for _ in range(3):
            word = b""
            while (byte := stream.read(1)) != b" ":
                if not byte:
                    return None
                word += byte
            words.append(word)
        return int(words[0]), words[1], int(words[2])

    @staticmethod
    def _answer(stream: Any, number: int, data: bytes) -> None:  # noqa: ANN401
        stream.write(b"%d rsp %d %s\n" % (number, len(data), data))
        stream.flush()


class Plain:
    """Stands for a TLS context."""

    def load_cert_chain(self, *_: object) -> None:
        pass

    def wrap_socket(self, plain: socket.socket, server_hostname: str) -> socket.socket:
        assert server_hostname == "127.0.0.1"
        return plain


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: Plain())
    found = Double()
    yield found
    found.close()


def test_lines_are_taken_in_order_over_one_connection(double: Double) -> None:
    relp = Relp([double.url], "ca.pem", "/tls")
    messages = [b"message %d\nof two" % number for number in range(1200)]
    relp.send(messages[:1100])
    relp.send(messages[1100:])
    assert double.taken == messages
    assert double.opened == 1
    relp.close()


def test_what_was_not_answered_is_not_taken_to_be_delivered_and_comes_again(double: Double) -> None:
    double.ends_after = 3
    relp = Relp([double.url], "ca.pem", "/tls", timeout=5)
    messages = [b"message %d" % number for number in range(10)]
    with pytest.raises(UndeliveredError, match="serverclose"):
        relp.send(messages)
    relp.send(messages)
    assert double.taken == messages[:3] + messages
    assert double.opened == 2
    relp.close()


def test_one_that_is_refused_is_told(double: Double) -> None:
    double.refuses = b"bad"
    with pytest.raises(UndeliveredError, match="500 error"):
        Relp([double.url], "ca.pem", "/tls", timeout=5).send([b"good", b"bad"])


def test_an_address_that_does_not_answer_gives_way_to_the_next(double: Double) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        away = f"relp://127.0.0.1:{gone.getsockname()[1]}"
    relp = Relp([away, double.url], "ca.pem", "/tls", timeout=5)
    relp.send([b"one"])
    relp.send([b"two"])
    assert double.taken == [b"one", b"two"]
    relp.close()
    double.close()
    with pytest.raises(UndeliveredError, match="refused"):
        Relp([away], "ca.pem", "/tls", timeout=5).send([b"three"])


def test_what_the_server_keeps_of_a_line(double: Double, tmp_path: Path) -> None:
    counts = Counts()
    relp = Relp([double.url], "ca.pem", str(tmp_path))
    record = record_of(line("call 13812345678\tnow"), SOURCES)
    LogServer(relp, counts).store([record])
    head, _, text = double.taken[0].partition(b" - - - - - - ")
    assert head == b"<134>1"
    told = json.loads(text)
    assert told == {
        "time": "2026-11-26T12:00:00.123456Z",
        "id": record.id,
        "service": "postgresql",
        "source": "file",
        "stream": "/var/log/postgresql/a.log",
        "position": 0,
        "text": "call 138****5678\tnow",
    }
    assert counts.sent == 1
    # The packer reads the id before it reads anything that somebody else could have written.
    assert text.index(b'"id"') < text.index(b'"service"')
    relp.close()
