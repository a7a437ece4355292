"""The log server's program: where lines go, what a crash or a full disk leaves, what is packed and found."""

import errno
import gzip
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackwright.logs.agent.wire import UndeliveredError
from rackwright.logs.files import keeper as keeping
from rackwright.logs.files.keeper import Keeper
from rackwright.logs.files.layout import Place, place_at, place_of, places, sender_of
from rackwright.logs.files.main import Server
from rackwright.logs.files.writer import Writer
from rackwright.logs.search.in_files import found_in
from rackwright.logs.search.question import Question, latest

HOSTS = {"10.0.20.11": ("app", "app1"), "fd00::11": ("data", "data1")}
NOW = datetime.now(UTC).replace(microsecond=0)
LARGE = 10**9


def told(number: int, at: datetime = NOW, text: str = "", **more: object) -> bytes:
    line = {
        "time": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "id": f"{number:032x}",
        "service": "redis",
        "source": "file",
    }
    rest = {"stream": "/s", "position": number, "text": text or f"line {number}"}
    return json.dumps({**line, **rest, **more}, separators=(",", ":")).encode()


def from_app(*lines: bytes) -> list[bytes]:
    return [b"10.0.20.11 " + line for line in lines]


def wrote(root: Path, *lines: bytes, days: int = 30, limit: int = LARGE) -> Keeper:
    keeper = Keeper(root, days, limit)
    writer = Writer(root, HOSTS, keeper)
    writer.write(writer.sorted(from_app(*lines)))
    return keeper


def texts(
    root: Path, *, since: timedelta = timedelta(days=40), limit: int = 1000, **about: frozenset[str]
) -> list[str]:
    lines, _ = latest(found_in(root, Question(NOW - since, NOW + timedelta(days=3), **about)), limit)
    return [line["text"] for line in lines]


def plain(root: Path, at: datetime = NOW) -> Path:
    return Place(f"{at:%Y-%m-%d}", "app", "app1", "redis").plain(root)


def test_a_line_goes_to_the_file_of_its_day_its_sender_and_its_service(tmp_path: Path) -> None:
    yesterday = NOW - timedelta(days=1)
    wrote(
        tmp_path,
        told(1),
        told(2, yesterday),
        told(3, service="../../etc/passwd"),
        told(4, host="other", zone="dmz"),
    )
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jsonl"))
    assert found == sorted(
        [
            f"{NOW:%Y-%m-%d}/app/app1/redis.jsonl",
            f"{NOW:%Y-%m-%d}/app/app1/unknown.jsonl",
            f"{yesterday:%Y-%m-%d}/app/app1/redis.jsonl",
        ]
    )
    assert plain(tmp_path).stat().st_mode & 0o007 == 0


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("10.0.20.11", ("app", "app1")),
        ("::ffff:10.0.20.11", ("app", "app1")),
        ("fd00:0:0::11", ("data", "data1")),
        ("10.9.9.9", ("unknown", "10.9.9.9")),
        ("fd00::99", ("unknown", "fd00__99")),
        ("../..", ("unknown", "unknown")),
    ],
)
def test_whose_a_line_is_follows_from_the_address(address: str, sender: tuple[str, str]) -> None:
    assert sender_of(address, HOSTS) == sender


def test_a_clock_that_is_ahead_makes_no_days_to_come() -> None:
    ahead = place_of(NOW + timedelta(days=400), NOW, ("app", "app1"), "redis")
    assert ahead.day == f"{NOW:%Y-%m-%d}"
    assert place_at(ahead.plain(Path("/x"))) == ahead


def test_what_is_no_line_is_counted_and_the_others_are_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path, HOSTS, Keeper(tmp_path, 30, LARGE))
    batch = from_app(
        b"no json", b"[]", b"{}", b'{"time": 3, "service": "x"}', told(1, time="2026-11-27T00:00:00"), told(2)
    )
    writer.write(writer.sorted(batch))
    assert (writer.refused, writer.written) == (5, 1)


def test_a_full_disk_leaves_whole_lines_and_another_try_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path, HOSTS, Keeper(tmp_path, 30, LARGE))
    writer.write(writer.sorted(from_app(told(1))))
    pending = writer.sorted(from_app(told(2, service="app"), told(3), told(4)))
    real, room = os.pwrite, [len(told(2, service="app")) + 20]

    def full(file: int, content: bytes, place: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = real(file, content[: room[0]], place)
        room[0] -= done
        return done

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UndeliveredError, match="No space left"):
        writer.write(pending)
    assert plain(tmp_path).read_bytes() == told(1) + b"\n"
    room[0] = 10**6
    writer.write(pending)
    assert pending == {}
    assert texts(tmp_path) == ["line 1", "line 2", "line 3", "line 4"]


def test_half_a_line_that_a_crash_has_left_is_taken_away(tmp_path: Path) -> None:
    wrote(tmp_path, told(1))
    with plain(tmp_path).open("ab") as file:
        file.write(told(2)[:30])
    assert texts(tmp_path) == ["line 1"]
    wrote(tmp_path, told(2), told(3))
    assert plain(tmp_path).read_bytes().splitlines() == [told(1), told(2), told(3)]


def test_a_day_that_is_over_is_packed_once_it_has_settled(tmp_path: Path) -> None:
    yesterday = NOW - timedelta(days=1)
    keeper = wrote(tmp_path, told(1, yesterday), told(2, yesterday), told(1, yesterday), told(3))
    keeper.look()
    assert plain(tmp_path, yesterday).exists()
    settled = time.time() - keeping.SETTLED_SECONDS - 1
    os.utime(plain(tmp_path, yesterday), (settled, settled))
    keeper.look()
    packed = plain(tmp_path, yesterday).with_name("redis.1.jsonl.gz")
    assert gzip.decompress(packed.read_bytes()).splitlines() == [told(1, yesterday), told(2, yesterday)]
    assert plain(tmp_path).exists()
    # What comes late has a file of its own, and is packed beside it.
    wrote(tmp_path, told(4, yesterday))
    os.utime(plain(tmp_path, yesterday), (settled, settled))
    keeper.look()
    assert sorted(path.name for path in packed.parent.iterdir()) == ["redis.1.jsonl.gz", "redis.2.jsonl.gz"]
    assert texts(tmp_path) == ["line 1", "line 2", "line 4", "line 3"]


@pytest.mark.parametrize("crash", ["before", "half", "after"])
def test_a_crash_while_packing_loses_nothing_and_shows_nothing_twice(tmp_path: Path, crash: str) -> None:
    yesterday = NOW - timedelta(days=1)
    wrote(tmp_path, told(1, yesterday), told(2, yesterday))
    packing = plain(tmp_path, yesterday).rename(plain(tmp_path, yesterday).with_name("redis.jsonl.packing"))
    content = gzip.compress(packing.read_bytes())
    if crash == "half":
        packing.with_name("redis.1.jsonl.gz.half").write_bytes(content[:20])
    if crash == "after":
        packing.with_name("redis.1.jsonl.gz").write_bytes(content)
    assert texts(tmp_path) == ["line 1", "line 2"]
    Keeper(tmp_path, 30, LARGE).look()
    assert not packing.exists()
    assert not list(tmp_path.rglob("*.half"))
    assert texts(tmp_path) == ["line 1", "line 2"]


def test_a_large_file_of_today_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LARGE_BYTES", 500)
    keeper = wrote(tmp_path, *(told(number) for number in range(20)))
    keeper.look()
    assert [path.name for path in plain(tmp_path).parent.iterdir()] == ["redis.1.jsonl.gz"]
    assert len(texts(tmp_path)) == 20


def test_days_that_are_over_go(tmp_path: Path) -> None:
    keeper = wrote(tmp_path, *(told(age, NOW - timedelta(days=age)) for age in range(5)), days=3)
    keeper.look()
    assert texts(tmp_path) == ["line 2", "line 1", "line 0"]
    assert keeper.removed_early == 0


@settings(max_examples=25)
@given(
    st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=12),
    st.integers(min_value=12, max_value=64),
)
def test_the_space_is_bounded_and_what_is_left_is_the_latest(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], blocks: int
) -> None:
    root = tmp_path_factory.mktemp("bounded")
    limit = blocks * 4096
    keeper = Keeper(root, 30, limit)
    writer = Writer(root, HOSTS, keeper)
    number = 0
    for age, count in enumerate(reversed(batches)):
        at = NOW - timedelta(days=len(batches) - 1 - age)
        lines = [told(number + place, at, os.urandom(60).hex()) for place in range(count)]
        number += count
        writer.write(writer.sorted(from_app(*lines)))
        # A batch is beside it until the next one, or the next look.
        taken = sum(path.stat().st_blocks * 512 for path in root.rglob("*") if path.is_file())
        assert taken <= limit + len(b"\n".join(lines)) + 4096 * len(batches)
    keeper.look()
    assert keeper.used <= limit
    found = [place.day for place in places(root, NOW - timedelta(days=40), NOW, (), ())]
    every = [f"{NOW - timedelta(days=age):%Y-%m-%d}" for age in reversed(range(len(batches)))]
    assert found == every[len(every) - len(found) :]


@given(
    numbers=st.lists(st.integers(min_value=0, max_value=60), max_size=120),
    limit=st.integers(min_value=1, max_value=80),
)
def test_the_latest_are_found_each_once_in_order(numbers: list[int], limit: int) -> None:
    lines = [
        {**json.loads(told(number, NOW + timedelta(seconds=number // 3))), "host": "app1"}
        for number in numbers
    ]
    found, more = latest(iter(lines), limit)
    wanted = sorted(set(numbers))
    assert [line["position"] for line in found] == wanted[-limit:]
    assert more or len(wanted) <= limit


def test_of_one_that_is_read_again_the_first_counts_and_one_moment_keeps_its_order(tmp_path: Path) -> None:
    """A line that says no time has that of its reading, which is another one the second time."""
    moment = [told(9, NOW), told(3, NOW, position=9), told(5, NOW, position=9)]
    keeper = wrote(tmp_path, told(1), told(2, NOW + timedelta(seconds=1)), *moment)
    keeper._pack(plain(tmp_path))
    wrote(tmp_path, told(1, NOW + timedelta(hours=2)), told(2, NOW + timedelta(hours=2)))
    assert texts(tmp_path) == ["line 1", "line 9", "line 3", "line 5", "line 2"]
    # Also where the first is older than what is shown.
    assert texts(tmp_path, limit=1) == ["line 2"]


def test_a_search_is_about_time_host_service_and_pattern(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, 30, LARGE)
    writer = Writer(tmp_path, HOSTS, keeper)
    batch = from_app(
        told(1, text="GET /a"), told(2, service="app", text="POST /a"), told(3, NOW - timedelta(hours=5))
    )
    writer.write(writer.sorted([*batch, b"fd00::11 " + told(4, text="GET /b")]))
    assert texts(tmp_path, hosts=frozenset({"data1"})) == ["GET /b"]
    assert texts(tmp_path, services=frozenset({"app"})) == ["POST /a"]
    assert texts(tmp_path, since=timedelta(hours=1)) == ["GET /a", "POST /a", "GET /b"]
    question = Question.read(
        {"since": (NOW - timedelta(days=1)).isoformat(), "grep": "^GET", "until": NOW.isoformat()}
    )
    assert latest(found_in(tmp_path, question), 10) == ([], False)
    found, _ = latest(
        found_in(tmp_path, Question(NOW - timedelta(days=1), NOW + timedelta(1), grep="(?i)^get")), 10
    )
    assert [(line["zone"], line["host"], line["text"]) for line in found] == [
        ("app", "app1", "GET /a"),
        ("data", "data1", "GET /b"),
    ]


def test_what_it_tells_of_itself(tmp_path: Path) -> None:
    (tmp_path / "queue").mkdir()
    server = Server(
        {
            "directory": str(tmp_path / "lines"),
            "days": 30,
            "limit_bytes": LARGE,
            "hosts": {address: list(place) for address, place in HOSTS.items()},
            "queue": str(tmp_path / "queue"),
            "queue_bytes": 100,
            "metrics": str(tmp_path / "metrics.prom"),
        }
    )
    server.deliver(from_app(told(1), told(2), b"none"))
    values = dict(line.rsplit(" ", 1) for line in server.rendered().splitlines() if not line.startswith("#"))
    assert values["rackwright_log_server_lines_total"] == "2"
    assert values["rackwright_log_server_refused_total"] == "1"
    assert values["rackwright_log_server_writable"] == "1"
    heard = 'rackwright_log_server_heard_timestamp_seconds{source="app1"}'
    assert abs(float(values[heard]) - time.time()) < 5
    assert 'heard_timestamp_seconds{source="data1"}' in server.rendered()
