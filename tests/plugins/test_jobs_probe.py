"""What jobs say to health."""

import json
import time
from pathlib import Path

import pytest
from ansible.module_utils.rackwright import probe_kinds


def job(directory: Path, name: str, **values: object) -> None:
    told = {"name": name, "ok": True, "last_good": time.time(), "due_seconds": 3600, "detail": "", **values}
    (directory / f"{name.replace(' ', '-').replace('/', '_')}.json").write_text(json.dumps(told))


def test_a_failed_and_an_overdue_job_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_kinds, "JOBS", tmp_path)
    context = probe_kinds.Context("", 1.0)
    check = {"actions": ["backup"]}
    job(tmp_path, "backup data1/redis")
    job(tmp_path, "archive postgresql", ok=False, detail="not asked for")
    assert probe_kinds.ask_jobs(check, context).detail.startswith("1 jobs are well")
    job(tmp_path, "backup data1/redis", last_good=time.time() - 7500)
    with pytest.raises(probe_kinds.ProbeError, match="redis is overdue: the last good one was 2 hours ago"):
        probe_kinds.ask_jobs(check, context)
    job(tmp_path, "backup data1/redis", ok=False, detail="no space")
    with pytest.raises(probe_kinds.ProbeError, match="backup data1/redis failed: no space"):
        probe_kinds.ask_jobs(check, context)


def test_a_host_where_jobs_were_never_set_up_is_not_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_kinds, "JOBS", tmp_path / "jobs")
    with pytest.raises(probe_kinds.ProbeError, match="has been set up here"):
        probe_kinds.ask_jobs({"actions": ["archive"]}, probe_kinds.Context("", 1.0))
