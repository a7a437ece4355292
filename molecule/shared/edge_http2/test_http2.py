"""HTTP/2 at the edge, by frames made here: what HTTP/1.1 cannot carry must not come out behind the edge."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

Ask = Callable[..., dict[str, Any]]
Pairs = list[tuple[str, str]]
LIE = "198.51.100.7"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, CONTINUATION = 0, 1, 3, 4, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
# Of HPACK's static table: `:status: 200`, the one status that every edge writes as a number.
OK = 0x88


@dataclass(frozen=True)
class Frame:
    """One frame (RFC 9113, 4.1)."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame as it is sent."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def frames(data: bytes) -> Iterator[Frame]:
    """Yield the frames of what came back."""
    while len(data) >= 9:
        length = int.from_bytes(data[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", data[3:9])
        yield Frame(kind, flags, stream, data[9 : 9 + length])
        data = data[9 + length :]


def packed(pairs: Pairs) -> bytes:
    """Return a header block: every field literal, none remembered (RFC 7541, 6.2.2)."""
    block = b""
    for pair in pairs:
        block += b"\x00" + b"".join(number(len(text)) + text for text in (part.encode() for part in pair))
    return block


def number(value: int) -> bytes:
    """Return a length of seven bits and more (RFC 7541, 5.1)."""
    if value < 127:
        return bytes([value])
    value -= 127
    rest = b""
    while value >= 128:
        rest += bytes([value % 128 + 128])
        value //= 128
    return b"\x7f" + rest + bytes([value])


def last(kind: int, flags: int, stream: int) -> str:
    """Return the end of a frame's head, by which the answer to a request is known to be over."""
    return struct.pack(">BBI", kind, flags, stream).decode("latin-1")


# After any of these nothing more is said of the first request.
OVER = [last(DATA, END_STREAM, 1), last(HEADERS, END_STREAM | END_HEADERS, 1), last(RST_STREAM, 0, 1)]
OVER += [last(GOAWAY, 0, 0)]


def pseudo(api: str, path: str = "/api/echo", method: str = "GET") -> Pairs:
    """Return what every request begins with."""
    return [(":method", method), (":scheme", "https"), (":path", path), (":authority", api)]


def wire(*parts: bytes) -> str:
    """Return all that a client sends, as `ask` takes it."""
    return base64.b64encode(zlib.compress(PREFACE + frame(SETTINGS, 0, 0) + b"".join(parts))).decode()


@pytest.fixture
def send(ask: Ask) -> Callable[..., list[Frame]]:
    """A function that sends frames on one connection and returns those that came back."""

    def sent(*parts: bytes, until: Sequence[str] = OVER, patience: float = 5) -> list[Frame]:
        answer = ask("/", deflated=wire(*parts), alpn=["h2"], until=until, patience=patience)
        assert answer["spoken"] == "h2"
        return list(frames(answer["answer"].encode("latin-1")))

    return sent


def told(answers: list[Frame], stream: int = 1) -> dict[str, Any] | None:
    """Return what the app said on a stream; None when it was not asked."""
    data = b"".join(each.payload for each in answers if each.kind == DATA and each.stream == stream)
    found: dict[str, Any] = json.loads(data) if b'"instance"' in data else {}
    return found or None


def passed(answers: list[Frame]) -> int:
    """Return how many streams were answered with 200."""
    begun = [each.payload for each in answers if each.kind == HEADERS]
    # A change of the table's size may stand before it.
    return sum(OK in payload[:4] for payload in begun)


def test_a_request_is_answered_and_the_client_is_who_it_is(
    send: Callable[..., list[Frame]], inventory: Mapping[str, Any], api: str
) -> None:
    lies = [("x-forwarded-for", LIE), ("x-real-ip", LIE), ("x_real_ip", LIE), ("forwarded", f"for={LIE}")]
    answers = send(frame(HEADERS, END_STREAM | END_HEADERS, 1, packed([*pseudo(api), *lies])))
    client = inventory["outside1"].variables["ansible_host"]

    answer = told(answers)
    assert answer
    assert answer["headers"]["x-real-ip"] == [client]
    assert answer["headers"]["x-forwarded-for"] == [client]
    assert answer["headers"]["x-forwarded-proto"] == ["https"]
    assert LIE not in json.dumps(answer)


@pytest.mark.parametrize(
    "fields",
    [
        [("x-any", f"a\r\nx-real-ip: {LIE}")],
        [("x-any", "a\nGET /api/admin/ HTTP/1.1")],
        [(f"x-any: a\r\nx-real-ip: {LIE}\r\nx-more", "b")],
        [("x-any", "a\x00b")],
        [("X-Any", "a")],
        [("transfer-encoding", "chunked")],
        [("connection", "x-real-ip")],
        [(":path", "/api/admin/")],
        [("x-any", "a"), (":method", "DELETE")],
        [("content-length", "5"), ("content-length", "6")],
    ],
    ids=["header", "request", "name", "nul", "case", "chunked", "connection", "path", "late", "lengths"],
)
def test_a_field_that_would_be_another_one_behind_the_edge_is_not_passed_on(
    send: Callable[..., list[Frame]], api: str, fields: Pairs
) -> None:
    block = packed([*pseudo(api), *fields])
    answer = told(send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block)))

    if answer is not None:
        # An edge may also leave out what it does not take.
        assert answer["path"] == "/api/echo"
        assert not {"transfer-encoding", "X-Any"} & answer["headers"].keys()
        assert "x-any" not in answer["headers"]
        assert LIE not in json.dumps(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/echo HTTP/1.1\r\nHost: x\r\n\r\nGET /api/admin/"),
        ("GET", "/api/echo x"),
        ("GET", "api/echo"),
        ("GET", ""),
        ("GET /api/admin/ HTTP/1.1\r\nx:", "/api/echo"),
    ],
    ids=["smuggled", "space", "relative", "empty", "method"],
)
def test_a_first_line_is_not_written_by_the_client(
    send: Callable[..., list[Frame]], api: str, method: str, path: str
) -> None:
    block = packed(pseudo(api, path, method))

    assert told(send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block))) is None


@pytest.mark.parametrize("length", ["0", "3", "4000"])
def test_a_body_of_another_length_than_was_said_is_not_passed_on(
    send: Callable[..., list[Frame]], api: str, length: str
) -> None:
    body = f"GET /api/admin/ HTTP/1.1\r\nHost: {api}\r\n\r\n".encode()
    block = packed([*pseudo(api, method="POST"), ("content-length", length)])
    answers = send(frame(HEADERS, END_HEADERS, 1, block), frame(DATA, END_STREAM, 1, body))

    assert told(answers) is None


def test_a_name_in_a_request_opens_no_other_site(
    send: Callable[..., list[Frame]], variables: Mapping[str, Any], api: str
) -> None:
    other = f"monitoring.{variables['domain']}"
    by_authority = packed(pseudo(other, "/"))
    by_host = packed([*pseudo(api, "/"), ("host", other)])

    for block in (by_authority, by_host):
        assert told(send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block))) is None


def test_a_closed_path_has_no_other_spelling(send: Callable[..., list[Frame]], api: str) -> None:
    for path in ("/api/admin/users", "/api/%61dmin/users", "/api/x/../admin/users", "/api//admin/users"):
        block = packed(pseudo(api, path))
        assert told(send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block))) is None, path


def test_the_limit_counts_streams_of_one_connection(send: Callable[..., list[Frame]], api: str) -> None:
    block = packed(pseudo(api, "/v1/chat"))
    answers = send(
        *(frame(HEADERS, END_STREAM | END_HEADERS, stream, block) for stream in range(1, 160, 2)),
        until=[],
        patience=0.7,
    )

    assert 1 <= passed(answers) < 40


def test_requests_that_are_taken_back_at_once_do_no_harm(
    ask: Ask, send: Callable[..., list[Frame]], api: str
) -> None:
    block = packed(pseudo(api))
    cancel = struct.pack(">I", 8)
    many = (
        frame(HEADERS, END_STREAM | END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, cancel)
        for stream in range(1, 8001, 2)
    )
    send(*many, until=[last(GOAWAY, 0, 0)], patience=1)

    assert ask("/health")["status"] == 200


def test_a_header_that_goes_on_and_on_is_cut_off(
    send: Callable[..., list[Frame]], ask: Ask, api: str
) -> None:
    more = packed([("x-any", "a" * 1000)]) * 15
    flood = (frame(CONTINUATION, 0, 1, more) for _ in range(200))
    answers = send(frame(HEADERS, END_STREAM, 1, packed(pseudo(api))), *flood)

    assert told(answers) is None
    assert ask("/health")["status"] == 200
