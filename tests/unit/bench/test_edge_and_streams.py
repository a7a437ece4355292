"""What the benchmarks of the edge and of streams make of their figures."""

from __future__ import annotations

import socketserver
import threading
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from rich.console import Console

from rackwright.bench import edge_load
from rackwright.bench.edge import EdgeCost, edge_table
from rackwright.bench.edge_load import Round, stream
from rackwright.bench.streams import Held, streams_table


def one(first_byte: float) -> Round:
    return {"rate": 100, "p95": 9, "first_byte": first_byte, "first_token": 40, "whole": 300}


def shown(table: object) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize(("edge", "met"), [((11, 12, 10), True), ((11, 12, 13), False)])
def test_the_median_of_ratios_within_rounds_decides(edge: tuple[float, ...], met: bool) -> None:
    rounds = {"app": [one(10)] * 3, "edge": [one(value) for value in edge]}
    found = EdgeCost(rounds)

    assert found.ratios("first_byte").values == tuple(value / 10 for value in edge)
    assert found.met is met
    assert found.as_dict()["met"] is met
    assert ("MISSED" in shown(edge_table(found))) is not met


def held(**changes: object) -> Held:
    figures: dict[str, object] = {"asked": 5, "whole": 5, "errors": [], "most_open": 5}
    figures |= {"seconds": 30.0, "events": 300, "idle_mb": 90.0, "busy_mb": 120.0, "cpu_percent": 40.0}
    return Held("app1", figures | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"whole": 4}, {"most_open": 4}, {"errors": ["status 503"]}, {"idle_mb": 150.0}]
)
def test_one_stream_that_broke_or_was_not_open_with_all_others_misses(change: dict[str, object]) -> None:
    assert held().met
    assert "met" in shown(streams_table(held()))
    assert not held(**change).met
    assert "MISSED" in shown(streams_table(held(**change)))


class Answering(socketserver.BaseRequestHandler):
    """Answers with the events of a stream."""

    said = "event: session\ndata: {}\n\nevent: token\ndata: {}\n\nevent: done\ndata: {}\n\n"

    def handle(self) -> None:
        self.request.recv(65536)
        body = self.said.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.request.sendall(head + body)


def test_a_stream_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(port: int) -> tuple[float, float, float]:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            return stream(connection, "a-token")

    with socketserver.TCPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        first, token, whole = asked(server.server_address[1])
        assert 0 < first <= token <= whole
        monkeypatch.setattr(Answering, "said", Answering.said.partition("event: done")[0])
        with pytest.raises(OSError, match="event: token"):
            asked(server.server_address[1])
        server.shutdown()


def test_programs_that_are_sent_need_nothing_of_the_toolkit() -> None:
    for name in ("edge_load", "streams_load"):
        text = Path(edge_load.__file__).with_name(f"{name}.py").read_text()
        assert "from rackwright." not in text
        assert "import rackwright." not in text
