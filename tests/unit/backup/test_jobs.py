"""What jobs leave behind."""

import time
from pathlib import Path

from rackwright.backup.agent import jobs


def test_jobs_keep_their_last_good_run(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics/backup.prom"
    good = jobs.Job("backup data1/redis", ok=True, finished=100, last_good=100, due_seconds=60, size_bytes=7)
    jobs.record(good, tmp_path, metrics)
    bad = jobs.Job("backup data1/redis", ok=False, finished=200, last_good=0, due_seconds=60, detail="away")
    jobs.record(bad, tmp_path, metrics)
    (found,) = jobs.known(tmp_path)
    assert (found.ok, found.last_good, found.detail) == (False, 100.0, "away")
    text = metrics.read_text()
    assert 'rackwright_job_ok{action="backup",subject="data1/redis"} 0' in text
    assert 'rackwright_job_last_good_timestamp_seconds{action="backup",subject="data1/redis"} 100' in text


def test_a_job_that_never_ran_has_its_whole_time(tmp_path: Path) -> None:
    jobs.expect("verify x", 60, tmp_path)
    (found,) = jobs.known(tmp_path)
    assert found.ok
    assert time.time() - found.last_good < 10
    jobs.expect("verify x", 120, tmp_path)
    assert jobs.known(tmp_path)[0].due_seconds == 120


def test_a_job_that_is_to_run_more_often_is_not_overdue_before_it_could(tmp_path: Path) -> None:
    now = time.time()
    metrics = tmp_path / "metrics/backup.prom"
    held = jobs.Job("backup x", ok=True, finished=now - 9000, last_good=now - 9000, due_seconds=90000)
    jobs.record(held, tmp_path, metrics)
    jobs.expect("backup x", 10000, tmp_path)
    assert jobs.known(tmp_path)[0].due_seconds == 10000
    jobs.expect("backup x", 5000, tmp_path)
    assert jobs.known(tmp_path)[0].due_seconds == 10000, "the bound of before holds until it has run"
    jobs.expect("backup x", 90000, tmp_path)
    assert jobs.known(tmp_path)[0].due_seconds == 90000
