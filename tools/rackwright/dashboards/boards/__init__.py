"""Every dashboard, in the order in which a list shows them."""

from __future__ import annotations

from rackwright.dashboards.boards.app import APP
from rackwright.dashboards.boards.backups import BACKUPS
from rackwright.dashboards.boards.capacity import CAPACITY
from rackwright.dashboards.boards.edge import EDGE
from rackwright.dashboards.boards.gpu import GPU
from rackwright.dashboards.boards.host import HOST
from rackwright.dashboards.boards.inference import INFERENCE
from rackwright.dashboards.boards.logs import LOGS
from rackwright.dashboards.boards.overview import OVERVIEW
from rackwright.dashboards.boards.postgresql import POSTGRESQL
from rackwright.dashboards.boards.redis import REDIS
from rackwright.dashboards.boards.vector_store import VECTOR_STORE
from rackwright.dashboards.model import Board

BOARDS: tuple[Board, ...] = (
    OVERVIEW,
    HOST,
    GPU,
    INFERENCE,
    APP,
    EDGE,
    POSTGRESQL,
    REDIS,
    VECTOR_STORE,
    BACKUPS,
    LOGS,
    CAPACITY,
)
