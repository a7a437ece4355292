"""The table of GPU models for docs/scan.md."""

from __future__ import annotations

from collections.abc import Iterator

from rackwright.hardware.gpus import GpuModel, GpuModels

_FORMS = {"pcie": "PCIe", "sxm": "SXM", "superchip": "superchip"}


def gpus_table(models: GpuModels) -> str:
    """Return the table of the known models as Markdown."""
    rows = [
        "| Model | PCI ids | Architecture | Capability | Memory, MiB | GB/s | Form | NVLink, MIG | Formats |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(model) for model in models.all),
    ]
    return "\n".join(rows) + "\n"


def _row(model: GpuModel) -> str:
    ids = ", ".join(pci_id.partition(":")[2] for pci_id in model.ids)
    if model.subsystems:
        ids += f" (cards {', '.join(model.subsystems)})"
    memory = f"{model.vram_mb}" if model.vram_from == "driver" else f"{model.vram_mb} (nominal)"
    joins = ", ".join(name for name, has in (("NVLink", model.nvlink), ("MIG", model.mig)) if has)
    cells = (
        model.model,
        ids,
        model.architecture,
        model.compute_capability,
        memory,
        str(model.bandwidth_gbs),
        _FORMS[model.form],
        joins or "—",
        ", ".join(_formats(model)),
    )
    return f"| {' | '.join(cells)} |"


def _formats(model: GpuModel) -> Iterator[str]:
    yield "fp16"
    if model.bf16:
        yield "bf16"
    if model.fp8:
        yield "fp8"
    if model.fp4:
        yield "fp4"
