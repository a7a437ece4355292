"""What of a configuration is in force at the double of Traefik: as tried, as read anew, instances away."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from traefik_behind import Ask, said
from traefik_site import DOMAIN, TRY, site
from traefik_site import route as routed

from rackwright.edge.traefik.configuration import configuration


def test_it_is_tried_before_it_is_put_in_force(double: Path, told: Mapping[str, Any]) -> None:
    if os.geteuid() != 0 or not Path("/usr/bin/python3").exists():
        pytest.skip(
            "it is tried as nobody, which root alone can become, who may use no Python but the system's"
        )
    good, bad = configuration(told), configuration(told)
    bad["http"]["routers"]["api-4"]["service"] = "nowhere"
    unknown = configuration(told) | {"htp": {}}
    # Nobody must get there.
    place = Path("/tmp") / f"tried-{os.getpid()}"  # noqa: S108 - made here, with its own number
    place.mkdir(mode=0o755)
    copied = place / "traefik"
    copied.write_bytes(double.read_bytes())
    copied.chmod(0o755)
    try:
        found = []
        for tree in (good, bad, unknown):
            (place / "edge.yml").write_text(yaml.safe_dump(tree))
            (place / "edge.yml").chmod(0o644)
            done = subprocess.run(
                [sys.executable, TRY, copied, place / "edge.yml"], capture_output=True, text=True, check=False
            )
            found.append((done.returncode, done.stderr))
        assert found[0] == (0, "")
        assert found[1][0] == 1
        assert "api-4@file: the service 'nowhere' does not exist" in found[1][1]
        assert found[2][0] == 1
        assert "htp" in found[2][1]
    finally:
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


def test_a_handshake_for_one_name_opens_no_site_that_asks_for_a_certificate(ask: Ask) -> None:
    assert ask("/", host="monitoring", sni=f"api.{DOMAIN}").status == 421
    assert ask("/nothing", host="evil", sni=f"api.{DOMAIN}").status == 421
    with pytest.raises(OSError, match=r"(?i)unrecognized.name"):
        ask("/", host="evil")
    with pytest.raises((OSError, http.client.HTTPException)):
        ask("/", host="monitoring").read()


def test_metrics_need_a_certificate_and_are_asked_by_the_address(
    ask: Ask, work: Path, ports: Mapping[str, int]
) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        ask("/metrics", port=ports["metrics"], sni="127.0.0.1").read()
    answer = ask("/metrics", port=ports["metrics"], sni="127.0.0.1", certificate=str(work / "both.pem"))
    text = answer.read().decode()
    assert answer.status == 200
    assert 'traefik_service_server_up{service="app_api-instances@file"' in text
    assert ask("/", port=ports["metrics"], sni="127.0.0.1", certificate=str(work / "both.pem")).status == 404


def test_instances_that_are_away_are_passed_over_and_none_is_told_so(
    ask: Ask, instances: list[ThreadingHTTPServer]
) -> None:
    _, first, second = instances
    both = {first.server_port, second.server_port}
    assert {said(ask("/api/echo"))["port"] for _ in range(6)} == both
    first.shutdown()
    first.server_close()
    assert {said(ask("/api/echo", method="POST", body=b"x"))["port"] for _ in range(8)} == {
        second.server_port
    }
    second.shutdown()
    second.server_close()
    for _ in range(100):
        answer = ask("/api/echo")
        if answer.status == 503:
            break
        time.sleep(0.1)
    assert said(answer)["headers"]["host"].startswith("127.0.0.1:")


def test_what_is_read_anew_interrupts_nobody_and_what_is_refused_changes_nothing(
    ask: Ask, running: subprocess.Popen[bytes], work: Path, told: Mapping[str, Any]
) -> None:
    changed = configuration({**told, "sites": [site("api", routed("/api/", networks=["192.0.2.0/24"]))]})
    (work / "edge.yml").write_text("http: {roters: {}}\n")
    running.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert ask("/api/echo").status != 403
    (work / "edge.yml").write_text(yaml.safe_dump(changed))
    running.send_signal(signal.SIGHUP)
    for _ in range(50):
        if ask("/api/echo").status == 403:
            break
        time.sleep(0.1)
    assert ask("/api/echo").status == 403
