from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rackwright.errors import RackwrightError
from rackwright.lab.cache import DAEMON_RECORD, empty_cache
from rackwright.lab.daemon import ensure_daemon, stop_daemon
from rackwright.site.paths import cache_directory

CLIENT = """\
#!/bin/sh
if [ -e "{state}/up" ]; then echo 26.1.5; exit 0; fi
echo "{refusal}" >&2
exit 1
"""
DAEMON = """\
#!{python}
import pathlib, signal, sys
state = pathlib.Path("{state}")
def leave(*_):
    (state / "up").unlink()
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("daemon speaks", flush=True)
if "{outcome}" == "fails":
    sys.exit(1)
(state / "up").touch()
signal.pause()
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """A directory, first in the path, with a client and a daemon that act as told."""
    assert not cache.exists()
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def install(directory: Path, refusal: str = "Cannot connect", outcome: str = "runs") -> None:
    for name, text in (("docker", CLIENT), ("dockerd", DAEMON)):
        path = directory / name
        path.write_text(text.format(state=directory, refusal=refusal, outcome=outcome, python=sys.executable))
        path.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the daemon")
def test_daemon_is_started_once_and_stopped(programs: Path) -> None:
    install(programs)
    assert ensure_daemon() is True
    assert ensure_daemon() is False
    empty_cache()
    assert stop_daemon() is True
    assert not (programs / "up").exists()
    assert stop_daemon() is False


def test_running_daemon_is_not_ours_to_stop(programs: Path) -> None:
    install(programs)
    (programs / "up").touch()
    assert ensure_daemon() is False
    assert stop_daemon() is False
    assert (programs / "up").exists()


def test_number_of_another_process_is_left_alone(programs: Path) -> None:
    install(programs)
    (cache_directory() / DAEMON_RECORD).write_text(str(os.getpid()))
    assert stop_daemon() is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the daemon")
def test_failed_start_shows_the_daemons_own_words(programs: Path) -> None:
    install(programs, outcome="fails")
    with pytest.raises(RackwrightError, match="daemon speaks"):
        ensure_daemon()


def test_closed_door_is_not_answered_by_a_second_daemon(programs: Path) -> None:
    install(programs, refusal="permission denied while trying to connect")
    with pytest.raises(RackwrightError) as caught:
        ensure_daemon()
    assert "usermod" in str(caught.value.hint)
    assert not (cache_directory("log") / "dockerd.log").exists()
