"""The GPUs that a model may use: from a host's hardware, or as an operator writes them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from rackwright.errors import RackwrightError
from rackwright.hardware.gpus import GpuModel, has_fp8, known_gpus
from rackwright.hardware.model import Hardware

_NOISE = {"nvidia", "geforce", "tesla", "quadro"}


@dataclass(frozen=True)
class Gpus:
    """Equal GPUs of one host.

    Attributes:
        name: Their model.
        count: How many.
        vram_mib: Memory of each.
        bandwidth_gbs: Of the memory of each, in GB/s; 0 where unknown.
        fp8: Whether they compute with FP8; None where the model is not known, which rules nothing out.
    """

    name: str
    count: int
    vram_mib: int
    bandwidth_gbs: int = 0
    fp8: bool | None = None

    @property
    def text(self) -> str:
        """As a person reads it: `2 x A100 PCIe 40GB, 40960 MiB each`."""
        each = " each" if self.count > 1 else ""
        return f"{self.count} x {self.name}, {self.vram_mib} MiB{each}"


@dataclass(frozen=True)
class Machine:
    """What a host offers a model.

    Attributes:
        gpus: Its GPUs; None where it has none.
        ram_mib: Memory that a model may use without a GPU.
    """

    gpus: Gpus | None
    ram_mib: int


def machine_of(hardware: Hardware, ram_mib: int) -> Machine:
    """Return what a scanned host offers.

    GPUs of several models do not serve one model together; the largest group by memory is taken.

    Args:
        hardware: The scan.
        ram_mib: The budget of the inference service in the host's memory.
    """
    usable = [gpu for gpu in hardware.gpus if gpu.vram_mb]
    if not usable:
        return Machine(None, ram_mib)
    groups = Counter((gpu.model, gpu.vram_mb) for gpu in usable)
    (name, vram), number = max(groups.items(), key=lambda item: (item[0][1] * item[1], item[0]))
    first = next(gpu for gpu in usable if (gpu.model, gpu.vram_mb) == (name, vram))
    known = known_gpus().of(first)
    fp8 = None if first.architecture == "unknown" else has_fp8(first.architecture)
    return Machine(Gpus(name, number, vram, known.bandwidth_gbs if known else 0, fp8), ram_mib)


def parse_gpus(text: str) -> Gpus:
    """Return the GPUs of `a100-40gb:2`, `rtx-3090`: a model, and how many (one by default).

    Of several models of the name, the one with the least memory and then the least bandwidth is taken.

    Raises:
        RackwrightError: No model has such a name, or the number is none.
    """
    name, _, number = text.partition(":")
    if number and not re.fullmatch(r"[1-9]\d?", number):
        raise RackwrightError(f"{number!r} is no number of GPUs", hint="write it as `a100-40gb:2`")
    wanted = _words(name)
    matches = [(model, have) for model in known_gpus().all if wanted <= (have := _words(model.model))]
    if not wanted or not matches:
        raise RackwrightError(
            f"no GPU of the data is called {name!r}",
            hint="write parts of its name, such as rtx-3090, a100-40gb, h100, l40s; or --vram-gb with --gpus",
        )
    model, _ = min(matches, key=lambda item: _rank(item[0], item[1] - wanted))
    return Gpus(model.model, int(number or 1), model.vram_mb, model.bandwidth_gbs, model.fp8)


def _rank(model: GpuModel, extra: set[str]) -> tuple[int, int, int]:
    # `rtx-3090` is the RTX 3090, not the Ti; but a form or a size alone make no other card.
    telling = {word for word in extra if not re.fullmatch(r"\d+gb|sxm\d?|pcie", word)}
    return len(telling), model.vram_mb, model.bandwidth_gbs


def _words(name: str) -> set[str]:
    spaced = re.sub(r"(\d)\s*(gb)\b", r"\1\2", name.lower())
    spaced = re.sub(r"\b(rtx|gtx)(\d)", r"\1 \2", spaced)
    return {word for word in re.split(r"[\s_/-]+", spaced) if word} - _NOISE
