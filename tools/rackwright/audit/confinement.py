"""What was seen of AppArmor on one host, judged by what the kernel says, never by files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rackwright.audit.model import Item, both

CHECK = "confinement"
# Docker's own name for none.
UNCONFINED = "unconfined"


def judge_confinement(
    host: str, seen: Mapping[str, Any], profiles: Sequence[Mapping[str, Any]]
) -> Iterator[Item]:
    """Yield an item for the host, or for each unit and each container of it.

    Args:
        host: Its name.
        seen: `lacking`, `units` and `containers` of what the module host_audit returned.
        profiles: Those that the site wants: `profile`, `units`, `mode`.
    """
    if lacking := str(seen["lacking"]):
        text = both(f"not possible: {lacking}", f"无法实施：{_CHINESE.get(lacking, lacking)}")
        yield Item(CHECK, host, "warn" if profiles else "none", text)
        return
    if not profiles:
        yield Item(CHECK, host, "none", both("no profiles of our own chosen", "未选用平台自有配置"))
    under = {entry["unit"]: entry for entry in seen["units"]}
    for wanted in profiles:
        for unit in wanted["units"]:
            # A unit that does its work and ends is judged when it runs.
            if unit in under:
                yield _unit(host, unit, under[unit], wanted)
    for container in seen["containers"]:
        good = container["profile"] != UNCONFINED
        seen_there = f"{container['name']}: {container['profile']}"
        yield Item(CHECK, host, "pass" if good else "fail", both(seen_there, seen_there))


def _unit(host: str, unit: str, seen: Mapping[str, str], wanted: Mapping[str, Any]) -> Item:
    profile, mode = seen["profile"], seen["mode"]
    if profile != wanted["profile"] or (mode, wanted["mode"]) == ("complain", "enforce"):
        shown, asked = f"{profile} {mode}".strip(), f"{wanted['profile']} {wanted['mode']}"
        text = both(f"{unit}: {shown}, not {asked}", f"{unit}：{shown}，应为 {asked}")
        return Item(CHECK, host, "fail", text)
    if mode != "enforce":
        text = both(f"{unit}: {profile}, denials are noted only", f"{unit}：{profile}，仅记录不拒绝")
        return Item(CHECK, host, "warn", text)
    return Item(CHECK, host, "pass", both(f"{unit}: {profile}, enforced", f"{unit}：{profile}，强制"))


_CHINESE = {
    "its kernel has no AppArmor": "内核不含 AppArmor",
    "AppArmor is switched off in its kernel (boot it with apparmor=1 security=apparmor)": (
        "内核已关闭 AppArmor（以 apparmor=1 security=apparmor 启动）"
    ),
    "it is a container, whose kernel another machine looks after": "该主机是容器，内核由其宿主机管理",
}
