"""From answers to a site on disk: laid out, rendered, checked by `validate`, moved into place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.errors import RackwrightError
from rackwright.hardware.model import Hardware
from rackwright.init.answers import Answers
from rackwright.init.layout import Layout, lay_out
from rackwright.init.render import engines_of, render_site
from rackwright.init.write import refuse_another, write_site
from rackwright.site.paths import repository_root
from rackwright.tiers.load import load_tiers
from rackwright.tiers.suggest import Suggestion, suggest_tier


@dataclass(frozen=True)
class Draft:
    """A site that is ready to be written.

    Attributes:
        target: Its directory to be.
        files: Content by path in it.
        layout: Where its hosts stand and what they run.
        needs_models: The engines for which nobody has said which models they serve.
        tier: Its tier; the reason is empty where it was given.
    """

    target: Path
    files: Mapping[Path, bytes]
    layout: Layout
    needs_models: tuple[str, ...]
    tier: Suggestion


@dataclass(frozen=True)
class Written:
    """What was done.

    Attributes:
        written: Whether the site is new; False when it was there already, the same.
        secrets: Names of the secrets that were drawn.
        password_file: The vault password file, if this run has made it.
        warnings: What `validate` would not do but lets pass.
    """

    written: bool
    secrets: tuple[str, ...]
    password_file: Path | None
    warnings: tuple[Finding, ...]


def default_target(name: str) -> Path:
    """Return where a site of this name goes unless another place is named."""
    return repository_root() / "inventories" / name


def read_hardware(answers: Answers) -> dict[str, Hardware]:
    """Return the hardware that the answers' files describe, by host.

    Raises:
        RackwrightError: A file that is missing or describes no hardware.
    """
    found = {}
    for host in answers.hosts:
        if host.hardware is None:
            continue
        path = Path(host.hardware)
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            found[host.name] = Hardware.model_validate(values["hardware"])
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
            raise RackwrightError(
                f"host {host.name}: {path} describes no hardware: {' '.join(str(error).split())}",
                hint="make it with `rackwright scan`, or leave `hardware` out",
            ) from error
    return found


def prepare(answers: Answers, target: Path, hardware: Mapping[str, Hardware]) -> Draft:
    """Work out a site; nothing is written.

    Raises:
        FindingsError: Answers that contradict each other.
    """
    gpu_hosts = frozenset(name for name, machine in hardware.items() if machine.gpus)
    layout = lay_out(answers, gpu_hosts)
    if answers.tier is not None:
        tier = Suggestion(answers.tier, "")
    elif answers.size == "lab":
        tier = Suggestion("lab", "the size lab")
    else:
        tier = suggest_tier(tuple(hardware.values()), answers.users, load_tiers(_project_tiers()))
    engines = engines_of(answers, layout, tier.tier, hardware) if layout.members("inference") else ()
    unnamed = tuple(
        engine
        for engine in engines
        if not {f"{engine}_model", f"{engine}_models", f"{engine}_instances"} & set(answers.variables)
    )
    return Draft(target, render_site(answers, layout, tier.tier, hardware), layout, unnamed, tier)


def create(draft: Draft, with_secrets: bool) -> Written:
    """Write a site whole, or nothing of it; the same site twice is no change.

    Raises:
        FindingsError: `rackwright validate` refuses it; nothing has been written.
        RackwrightError: Another site is in its place; it cannot be written; its secrets cannot be drawn.
    """
    warnings: list[Finding] = []
    drawn: list[str] = []
    password: list[Path] = []

    def secrets(directory: Path) -> None:
        # Imported here: it needs cryptography and Ansible's vault, and only here.
        from rackwright.secrets.store import initialise  # noqa: PLC0415

        done = initialise([directory])
        drawn.extend(done.added)
        if done.password_created:
            password.append(done.password_file)

    def complete(directory: Path) -> None:
        warnings.extend(_check(directory, draft.target))
        if with_secrets:
            secrets(directory)

    there = refuse_another(draft.files, draft.target)
    if there:
        if with_secrets:
            secrets(draft.target)
    else:
        write_site(draft.files, draft.target, complete)
    return Written(not there, tuple(drawn), password[0] if password else None, tuple(warnings))


def _check(directory: Path, target: Path) -> list[Finding]:
    from rackwright.site.validate import validate  # noqa: PLC0415 - loads Ansible

    findings = [_placed(finding, directory, target) for finding in validate([directory], draft=True)]
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise FindingsError(errors)
    return findings


def _placed(finding: Finding, directory: Path, target: Path) -> Finding:
    """Speak of the site's directory to be, not of the temporary one."""
    texts = {
        name: getattr(finding, name).replace(str(directory), str(target))
        for name in ("variable", "value", "rule", "hint", "where")
    }
    return replace(finding, **texts)


def _project_tiers() -> Any:  # noqa: ANN401 - whatever the file holds; load_tiers checks it
    path = repository_root() / "group_vars/all/tiers.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))["tiers"]
