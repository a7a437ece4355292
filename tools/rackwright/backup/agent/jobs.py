"""What jobs leave behind: a small file each, from which health and metrics are read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rackwright.backup.agent.shell import Failed, write

DIRECTORY = Path("/var/lib/rackwright/jobs")
METRICS = Path("/var/lib/rackwright/metrics/backup.prom")
HOUR = 3600


@dataclass
class Job:
    """The last run of a job.

    Attributes:
        name: What it does to what, such as `backup data1/redis`.
        ok: Whether the last run ended well.
        finished: When it ended, in seconds since 1970.
        last_good: When one last ended well; 0 for never.
        due_seconds: Without a good run for so long it is overdue.
        seconds: How long the last run took.
        size_bytes: What the last good run kept; 0 where that means nothing.
        detail: What came of it, in words.
    """

    name: str
    ok: bool
    finished: float
    last_good: float
    due_seconds: int
    seconds: float = 0.0
    size_bytes: int = 0
    detail: str = ""

    @property
    def action(self) -> str:
        """The first word of the name."""
        return self.name.partition(" ")[0]

    @property
    def subject(self) -> str:
        """The rest of the name."""
        return self.name.partition(" ")[2]


def path_of(name: str, directory: Path = DIRECTORY) -> Path:
    """Return the file of a job."""
    return directory / (name.replace("/", "_").replace(" ", "-") + ".json")


def weekly_name() -> str:
    """Return the name of this week's point of the whole site."""
    return time.strftime("weekly-%Y%m%d", time.gmtime())


def known(directory: Path = DIRECTORY) -> list[Job]:
    """Return all jobs of this host, by name."""
    found = [Job(**json.loads(path.read_text(encoding="utf-8"))) for path in directory.glob("*.json")]
    return sorted(found, key=lambda job: job.name)


def expect(name: str, due_seconds: int, directory: Path = DIRECTORY) -> None:
    """Make a job known that has not run yet: it has its whole time for the first run."""
    path = path_of(name, directory)
    if path.exists():
        job = Job(**json.loads(path.read_text(encoding="utf-8")))
        # One that is to run more often than it did has its whole time for that, too.
        late = due_seconds < job.due_seconds and time.time() - job.last_good > due_seconds
        if job.due_seconds == due_seconds or late:
            return
        job.due_seconds = due_seconds
    else:
        now = time.time()
        job = Job(name, ok=True, finished=now, last_good=now, due_seconds=due_seconds, detail="not run yet")
    write(path, json.dumps(asdict(job)))


def record(job: Job, directory: Path = DIRECTORY, metrics: Path = METRICS) -> None:
    """Keep a job's outcome, and what Prometheus reads of all jobs."""
    path = path_of(job.name, directory)
    if not job.ok and path.exists():
        job.last_good = float(json.loads(path.read_text(encoding="utf-8"))["last_good"])
    write(path, json.dumps(asdict(job)))
    publish(directory, metrics)


def publish(directory: Path = DIRECTORY, metrics: Path = METRICS) -> None:
    """Write what Prometheus reads of all jobs, when it is not that already."""
    text = exposition(known(directory))
    if not metrics.exists() or metrics.read_text(encoding="utf-8") != text:
        write(metrics, text)


@contextmanager
def recorded(name: str, due_seconds: int) -> Iterator[Job]:
    """Run a job: what it raises is recorded as its failure and raised again."""
    started = time.monotonic()
    job = Job(name, ok=True, finished=0, last_good=0, due_seconds=due_seconds)
    try:
        yield job
    except Failed as error:
        job.ok, job.detail = False, error.message
        raise
    except BaseException as error:
        job.ok, job.detail = False, f"{type(error).__name__}: {error}"
        raise
    finally:
        job.finished = time.time()
        job.seconds = round(time.monotonic() - started, 2)
        if job.ok:
            job.last_good = job.finished
        record(job)


_FAMILIES = (
    ("rackwright_job_ok", "Whether the last run of the job ended well.", lambda job: int(job.ok)),
    (
        "rackwright_job_last_good_timestamp_seconds",
        "When the job last ended well.",
        lambda job: f"{job.last_good:.0f}",
    ),
    (
        "rackwright_job_due_seconds",
        "Without a good run for so long the job is overdue.",
        lambda job: job.due_seconds,
    ),
    ("rackwright_job_duration_seconds", "How long the last run took.", lambda job: job.seconds),
    ("rackwright_job_size_bytes", "What the last good run kept.", lambda job: job.size_bytes),
)


def exposition(jobs: list[Job]) -> str:
    """Return jobs as Prometheus reads them."""
    lines: list[str] = []
    for family, told, value in _FAMILIES:
        lines += [f"# HELP {family} {told}", f"# TYPE {family} gauge"]
        lines += [f'{family}{{action="{job.action}",subject="{job.subject}"}} {value(job)}' for job in jobs]
    return "\n".join(lines) + "\n"
