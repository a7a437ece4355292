"""Each service of the catalogue has logs or says why not; every log file is rotated; no unit is made up."""

from pathlib import Path

import pytest
import yaml

from rackwright.catalogue.load import Catalogue, load_catalogue
from rackwright.catalogue.log_model import CommandReopen, ContainerLog, FileLog, JournalLog, Log, SignalReopen
from rackwright.catalogue.nothing import Nothing


@pytest.fixture(scope="module")
def catalogue(root: Path) -> Catalogue:
    values: dict[str, object] = {}
    for name in ("services", "zones"):
        values |= yaml.safe_load((root / f"group_vars/all/{name}.yml").read_text(encoding="utf-8"))
    return load_catalogue(values["services"], values["zone_policy"])


def entries(catalogue: Catalogue) -> list[tuple[str, Log]]:
    return [
        (name, log)
        for name, service in catalogue.services.items()
        if not isinstance(service.logs, Nothing)
        for log in service.logs
    ]


def test_every_service_has_logs_or_says_why_not(catalogue: Catalogue) -> None:
    for name, service in catalogue.services.items():
        assert isinstance(service.logs, Nothing) or service.logs, f"{name}.logs is empty"


def test_every_file_says_how_its_program_comes_to_the_new_one(catalogue: Catalogue) -> None:
    units = {service.unit for service in catalogue.services.values()}
    for name, log in entries(catalogue):
        if isinstance(log, FileLog):
            match log.reopen:
                case SignalReopen(unit=unit):
                    assert unit in units, f"{name}: no service of the catalogue is {unit}"
                case CommandReopen(command=command):
                    assert "'" not in command.replace("'SELECT pg_rotate_logfile()'", "")
                case Nothing(none=reason):
                    assert len(reason.split()) > 2, f"{name}: say why nothing has to be done"


def test_a_rotated_file_is_no_log_of_its_own(catalogue: Catalogue) -> None:
    """The shipper reads `<glob>` and `<glob>.1`; a glob that met the second would read everything twice."""
    for name, log in entries(catalogue):
        if isinstance(log, FileLog):
            assert log.file.endswith(".log"), name


def test_no_two_entries_are_of_one_file_or_one_name(catalogue: Catalogue) -> None:
    files = [log for _, log in entries(catalogue) if isinstance(log, FileLog)]
    assert len({log.file for log in files}) == len(files)
    own = [
        f"rackwright-{name}"
        for name, log in entries(catalogue)
        if isinstance(log, FileLog) and not log.logrotate
    ]
    names = [log.logrotate for log in files if log.logrotate] + own
    assert len(set(names)) == len(names)


def test_units_and_containers_of_logs_are_named_by_their_roles(catalogue: Catalogue, root: Path) -> None:
    for name, log in entries(catalogue):
        if isinstance(log, JournalLog):
            wanted = log.journal.removesuffix(".service")
        elif isinstance(log, ContainerLog):
            wanted = log.container
        else:
            continue
        role = root / "roles" / catalogue.services[name].role
        texts = [path.read_text(encoding="utf-8") for path in role.rglob("*") if path.is_file()]
        also = [str(path) for path in role.rglob("*")]
        # A role with several names them by their last word.
        parts = [wanted, wanted.removesuffix("-front"), *wanted.split("-")[-1:]]
        assert any(part in text for part in parts for text in (*texts, *also)), f"{name}: {wanted}"


def test_no_role_rotates_by_itself(root: Path) -> None:
    own = [
        str(path)
        for path in (root / "roles").glob("*/templates/etc/logrotate.d/*")
        if path.parts[-5] != "base"
    ]
    assert own == []
