"""GPUs, by what NVIDIA's DCGM exporter publishes (its default set of counters)."""

from __future__ import annotations

from rackwright.dashboards.model import GPU as HARDWARE
from rackwright.dashboards.model import Board, Choice, Query, Row
from rackwright.dashboards.panels import gauge, query, stat, table, time

_CARD = "{{host}} GPU {{gpu}}"


def _dcgm(name: str, legend: str = _CARD) -> Query:
    return query(gauge(f"DCGM_FI_{name}"), legend, HARDWARE)


GPU = Board(
    "rackwright-gpu",
    "GPU",
    "Load, memory, heat, power and errors of every GPU.",
    (
        Row(
            "Now",
            (
                stat("GPUs", query(f"count({gauge('DCGM_FI_DEV_GPU_TEMP')})", "", HARDWARE)),
                stat(
                    "Hottest",
                    query(f"max({gauge('DCGM_FI_DEV_GPU_TEMP')})", "", HARDWARE),
                    unit="celsius",
                    warn=80.0,
                    bad=88.0,
                ),
                stat(
                    "Fullest",
                    query(
                        f"max(100 * {gauge('DCGM_FI_DEV_FB_USED')}"
                        " / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE))",
                        "",
                        HARDWARE,
                    ),
                    unit="percent",
                    warn=85.0,
                    bad=95.0,
                ),
                stat("Power", query(f"sum({gauge('DCGM_FI_DEV_POWER_USAGE')})", "", HARDWARE), unit="watt"),
            ),
        ),
        Row(
            "Use",
            (
                time("Load", _dcgm("DEV_GPU_UTIL"), unit="percent", most=100.0),
                time(
                    "Memory",
                    query(
                        f"100 * {gauge('DCGM_FI_DEV_FB_USED')} / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)",
                        _CARD,
                        HARDWARE,
                    ),
                    about="Engines take their part at the start: full is right, growing is not.",
                    unit="percent",
                    most=100.0,
                    warn=90.0,
                ),
                time("Memory's bus", _dcgm("DEV_MEM_COPY_UTIL"), unit="percent", most=100.0),
            ),
        ),
        Row(
            "Heat and power",
            (
                time("Temperature", _dcgm("DEV_GPU_TEMP"), unit="celsius", warn=80.0, bad=88.0),
                time("Power", _dcgm("DEV_POWER_USAGE"), unit="watt"),
                time(
                    "Clock",
                    _dcgm("DEV_SM_CLOCK"),
                    about="In MHz; it falls when the GPU is too hot or short of power.",
                ),
            ),
        ),
        Row(
            "Errors",
            (
                table(
                    "Last Xid error",
                    query(gauge("DCGM_FI_DEV_XID_ERRORS"), "", HARDWARE),
                    {"host": "Host", "gpu": "GPU", "modelName": "Model", "": "Xid"},
                    about="0 is none. 48, 63, 64, 74, 79 and 94 to 95 are the hardware's: docs/runbooks.",
                ),
                time(
                    "Lines of memory that were replaced",
                    _dcgm("DEV_UNCORRECTABLE_REMAPPED_ROWS", f"{_CARD} uncorrectable"),
                    _dcgm("DEV_CORRECTABLE_REMAPPED_ROWS", f"{_CARD} correctable"),
                    width=12,
                ),
            ),
        ),
    ),
    (Choice("host", "DCGM_FI_DEV_GPU_TEMP", "Host"),),
)
