"""A cluster, and a backup of it."""

from rackwright.backup.agent import wal
from rackwright.backup.agent.settings import Store

STORE = Store("data1/postgresql", "data1", "10.0.30.11", "postgresql", "postgresql", "17")
BACKUP = wal.Backup(
    "20260101-010000F",
    "full",
    1000,
    2000,
    5_000_000,
    1_000_000,
    ("000000010000000000000003", "000000010000000000000004"),
    (),
    "17",
)
