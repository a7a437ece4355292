"""`rackwright bench inference`, asked as an operator asks it."""

import json
import subprocess
import sys
from pathlib import Path

from machines import PROJECT, SOURCES, Machines


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    sources = [part for source in SOURCES for part in ("-i", str(source))]
    command = [str(Path(sys.executable).with_name("rackwright")), "bench", "inference", *sources, *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=280)


def test_the_route_is_measured_from_the_apps_host(
    machines: Machines, model: str, key: str, tmp_path: Path
) -> None:
    done = bench("--seconds", "3", "--tokens", "32", "--json", "--html", str(tmp_path / "load.html"))
    told = json.loads(done.stdout)
    assert (told["target"], told["asked_from"], told["model"]) == ("route", "app1", model)
    assert told["url"] == f"https://{machines.addresses['app1']}:8443/v1"
    assert [step["users"] for step in told["steps"]] == [1, 2]
    for step in told["steps"]:
        assert step["errors"] == {}
        assert 0 < step["first_token"]["p50"] <= step["answer"]["p50"]
        assert step["throughput"] > 0
    assert told["complete"] is True
    # How fast this machine is proves nothing; that the exit status says the verdict does.
    assert done.returncode == (0 if told["kept"] else 1)
    page = (tmp_path / "load.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert key not in page + done.stdout + done.stderr
    newest = max((PROJECT / ".runs").glob("*-bench_inference"))
    assert all(key not in file.read_text(errors="replace") for file in newest.rglob("*") if file.is_file())


def test_more_users_than_the_tier_has_are_refused() -> None:
    done = bench("--users", "3")
    assert done.returncode != 0
    assert "--force" in done.stderr
    assert done.stdout == ""


def test_an_unknown_model_fails_the_measurement_not_the_command() -> None:
    done = bench("--users", "1", "--seconds", "1", "--model", "nobody", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert set(told["steps"][0]["errors"]) == {"status 404"}
    assert told["kept"] is False
