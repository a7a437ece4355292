"""Why the backup host did not answer, in words."""

from pathlib import Path

from rackwright.operations.backup import NO_HOST, failure
from rackwright.operations.events import Recap
from rackwright.operations.runner import Run


def ended(status: str) -> Run:
    return Run("playbooks/backup.yml", status, int(status != "successful"), 1.0, Recap(), Path("the.log"))


def test_a_run_that_found_nobody_says_that_there_is_no_backup_host() -> None:
    assert failure(ended("successful")).message == NO_HOST[0]


def test_a_run_that_never_began_is_not_taken_for_a_site_without_backups() -> None:
    told = failure(ended("failed"))
    assert "before any host was asked" in told.message
    assert "the.log" in str(told.hint)
