"""`rackwright init` as an operator and a script meet it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
import yaml
from click.testing import CliRunner, Result

from rackwright.cli import init as command_module
from rackwright.cli.init import command
from rackwright.cli.main import main
from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root

FLAGS = (
    "--name=first",
    "--size=small",
    "--domain=ai.example.internal",
    "--users=10",
    "--hosts=server1=10.20.0.11",
    "--management=10.20.0.5/32",
)
TALK = (
    "first\nsmall\nai.example.internal\n10\nserver1\n10.20.0.11\n"
    "admin\nnone\n10.20.0.5\n\nnone\nnone\nnone\nn\n"
)
Tree = dict[str, bytes]


def tree(site: Path) -> Tree:
    return {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}


@pytest.fixture
def init(sites: Path) -> Callable[..., Result]:
    """Run the command as a script does; `talk` makes it a conversation."""

    def run(*flags: str, talk: str | None = None, secrets: bool = False) -> Result:
        arguments = [*flags, "--output", str(sites / "first"), *([] if secrets else ["--no-secrets"])]
        return CliRunner().invoke(command, arguments, input=talk)

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "_is_terminal", lambda: True)


def test_flags_make_a_site_that_is_sound(init: Callable[..., Result], sites: Path) -> None:
    result = init(*FLAGS)
    assert result.exit_code == 0, result.output
    with pytest.raises(SystemExit) as caught:
        main(["validate", "--draft", "-i", str(sites / "first")])
    assert caught.value.code == 0
    for following in ("validate", "preflight", "plan", "apply"):
        assert f"rackwright {following} -i" in result.output


def test_what_is_written_passes_yamllint(init: Callable[..., Result], sites: Path) -> None:
    init(*FLAGS, "--package-proxy=http://10.20.0.5:3142", "--dns=10.20.0.1", "--ssh-key=~/.ssh/a key")
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "yamllint",
            "--strict",
            "-c",
            repository_root() / ".yamllint",
            sites / "first",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout + checked.stderr == ""


def test_every_value_arrives(init: Callable[..., Result], sites: Path) -> None:
    result = init(
        *FLAGS,
        "--package-proxy=http://10.20.0.6:3142",
        "--dns=10.20.0.1,10.20.0.2",
        "--ntp=10.20.0.3",
        "--clients=10.0.0.0/8 fd00::/8",
        "--user=ops",
        "--ssh-key=/keys/one",
        "--tier=standard",
    )
    assert result.exit_code == 0, result.output
    values = {}
    for path in (sites / "first/group_vars/all").glob("*.yml"):
        values |= yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    assert values == {
        "site_name": "first",
        "domain": "ai.example.internal",
        "tier": "standard",
        "zones": {"dmz": {"cidr": "10.20.0.0/24"}},
        "management_sources": ["10.20.0.5/32"],
        "client_networks": ["10.0.0.0/8", "fd00::/8"],
        "package_proxy": "http://10.20.0.6:3142",
        "dns_servers": ["10.20.0.1", "10.20.0.2"],
        "ntp_servers": ["10.20.0.3"],
        "ansible_user": "ops",
        "ansible_become": True,
        "ansible_ssh_private_key_file": "/keys/one",
    }


def test_the_same_answers_give_the_same_bytes_and_nothing_to_do(
    init: Callable[..., Result], sites: Path
) -> None:
    init(*FLAGS)
    first = tree(sites / "first")
    again = init(*FLAGS)
    assert again.exit_code == 0
    assert "nothing to do" in again.output
    assert tree(sites / "first") == first
    (sites / "first").rename(sites / "before")
    init(*FLAGS)
    assert tree(sites / "first") == first


@pytest.mark.usefixtures("terminal")
def test_a_conversation_gives_what_flags_give(init: Callable[..., Result], sites: Path) -> None:
    result = init(talk=TALK + "y\n")
    assert result.exit_code == 0, result.output
    talked = tree(sites / "first")
    (sites / "first").rename(sites / "talked")
    init(*FLAGS, "--user=admin", "--yes")
    assert tree(sites / "first") == talked


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("First Site", "first", "small letters"),
        ("tiny", "small", "one of small, medium"),
        ("ai_x.example", "ai.example.internal", "without `_`"),
        ("zero", "10", "a whole number, 1 or more"),
        ("localhost", "server1", "reserved"),
        ("server1.example", "10.20.0.11", "an IPv4 or IPv6 address"),
        ("10.20.0.5/24", "10.20.0.5", "has host bits set"),
    ],
)
def test_a_wrong_answer_is_told_at_once_and_asked_again(
    init: Callable[..., Result], sites: Path, wrong: str, right: str, told: str
) -> None:
    assert f"{right}\n" in TALK
    result = init(talk=TALK.replace(f"{right}\n", f"{wrong}\n{right}\n", 1) + "y\n")
    assert result.exit_code == 0, result.output
    assert told in result.output
    assert (sites / "first/hosts.yml").is_file()


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("size: tiny", "size = tiny"),
        ("hosts: server1", "hosts = server1"),
        ("hosts: [{name: server1}]", "hosts.0.address = (absent)"),
        ("ssh: root", "ssh = root"),
        ("sise: small", "`sise` is no key here"),
        ("[small]", "a mapping of answers"),
        ("size: [", "cannot be read"),
    ],
)
def test_a_wrong_file_of_answers_is_refused_before_anything_is_asked(
    init: Callable[..., Result], tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "answers.yml").write_text(text, encoding="utf-8")
    result = init(f"--answers={tmp_path / 'answers.yml'}", talk="")
    assert isinstance(result.exception, RackwrightError)
    assert told in result.exception.message
    assert "Name of the site" not in result.output


@pytest.mark.usefixtures("terminal")
def test_a_name_that_is_taken_is_told_at_once(init: Callable[..., Result], sites: Path) -> None:
    (sites / "first").mkdir(parents=True)
    result = init(talk="first\n")
    assert "there is a site first already" in result.output
    assert "Size" not in result.output


@pytest.mark.usefixtures("terminal")
def test_hosts_that_do_not_answer_are_no_obstacle(
    init: Callable[..., Result], sites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_arguments: object) -> None:
        raise RackwrightError("not scanned: server1 (unreachable)")

    monkeypatch.setattr("rackwright.init.survey.survey", silent)
    result = init(talk=TALK.removesuffix("n\n") + "y\ny\n")
    assert result.exit_code == 0, result.output
    assert "not scanned: server1 (unreachable)" in result.output
    assert (sites / "first/hosts.yml").is_file()
    refused = init(*FLAGS, "--scan", "--yes")
    assert isinstance(refused.exception, RackwrightError)


def test_a_computer_that_would_be_locked_out_is_warned(init: Callable[..., Result]) -> None:
    assert "locked out" in init(*FLAGS).output
    assert "locked out" not in init(*FLAGS[:5], "--management=0.0.0.0/0").output


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("talk", ["first\nsmall\n", TALK, TALK + "n\n"], ids=["early", "late", "declined"])
def test_a_conversation_that_is_left_writes_nothing(
    init: Callable[..., Result], sites: Path, talk: str
) -> None:
    result = init(talk=talk, secrets=True)
    assert result.exit_code == 1
    assert not sites.exists() or not list(sites.iterdir())


@pytest.mark.usefixtures("terminal")
def test_a_large_site_is_asked_zone_by_zone(init: Callable[..., Result], sites: Path) -> None:
    machines = "1\nedge1\n10.1.10.1\n2\napp1\n10.1.20.1\ngpu1\n10.1.20.2\n1\n\n10.1.30.1\n1\n\n10.1.40.1\n"
    rest = "admin\nnone\n10.1.1.0/24\n\nnone\nnone\nnone\nn\ny\n"
    talk = f"first\nlarge\nai.example.internal\n200\n{machines}{rest}"
    result = init(talk=talk)
    assert result.exit_code == 0, result.output
    hosts = yaml.safe_load((sites / "first/hosts.yml").read_text(encoding="utf-8"))["all"]["children"]
    assert hosts["zone_data"] == {"hosts": {"data1": {"ansible_host": "10.1.30.1"}}}
    assert set(hosts["inference"]["hosts"]) == {"gpu1"}


def test_another_site_is_never_written_over(init: Callable[..., Result], sites: Path) -> None:
    init(*FLAGS)
    first = tree(sites / "first")
    with pytest.raises(RackwrightError) as caught:
        raise_from(init(*FLAGS, "--domain=other.example"))
    assert "group_vars/all/site.yml" in caught.value.message
    assert "never overwrites" in (caught.value.hint or "")
    assert tree(sites / "first") == first


def raise_from(result: Result) -> None:
    assert result.exception is not None
    raise result.exception


def test_secrets_come_with_the_site(init: Callable[..., Result], sites: Path) -> None:
    result = init(*FLAGS, secrets=True)
    assert result.exit_code == 0, result.output
    assert "secrets drawn" in result.output
    vault = sites / "first/group_vars/all/vault.yml"
    assert vault.read_text(encoding="utf-8").startswith("$ANSIBLE_VAULT")
    assert vault.stat().st_mode & 0o777 == 0o600
    assert "nothing to do" in init(*FLAGS, secrets=True).output


def test_a_failure_in_the_middle_leaves_nothing(
    init: Callable[..., Result], sites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RackwrightError("no secret today")

    monkeypatch.setattr("rackwright.secrets.store.initialise", fail)
    result = init(*FLAGS, secrets=True)
    assert isinstance(result.exception, RackwrightError)
    assert list(sites.iterdir()) == []


def test_what_validate_refuses_is_not_written(init: Callable[..., Result], sites: Path) -> None:
    result = init(*FLAGS, "--tier=huge")
    assert isinstance(result.exception, RackwrightError)
    assert "tier = huge" in result.exception.message
    assert ".new" not in result.exception.message
    assert list(sites.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--tls=acme",), "mode `acme` needs directory"),
        (("--tls=provided",), "mode `provided` needs certificate and key"),
        (("--tls=none",), "'internal_ca', 'provided' or 'acme'"),
        (("--domain=a_b.example",), "domain = a_b.example"),
        (("--hosts=localhost=10.0.0.9",), "`localhost` is reserved"),
        (("--hosts=b=10.0.0.300",), "IPv4 or IPv6 address"),
        (("--management=everywhere",), "IPv4 or IPv6 network"),
        (("--package-proxy=http://proxy.example:3142",), "with an address, not a name"),
    ],
)
def test_bad_flags_are_refused_with_variable_and_hint(
    init: Callable[..., Result], sites: Path, flags: tuple[str, ...], told: str
) -> None:
    result = init(*FLAGS, *flags)
    assert isinstance(result.exception, RackwrightError)
    assert told in result.exception.message
    assert "hint:" in result.exception.message
    assert not sites.exists() or list(sites.iterdir()) == []


@pytest.mark.parametrize("form", ["server1", "=10.0.0.1", "server1=", "a=10.0.0.1,app,edge,more"])
def test_a_host_in_another_form_is_refused(init: Callable[..., Result], form: str) -> None:
    result = init(*FLAGS[:4], FLAGS[5], f"--hosts={form}")
    assert result.exit_code == 2
    assert "NAME=ADDRESS" in result.output


def test_what_is_missing_is_named_when_nobody_can_be_asked(init: Callable[..., Result]) -> None:
    result = init("--name=first", "--hosts=a=203.0.113.7")
    assert result.exit_code == 2
    assert "--size, --domain" in result.output


def test_answers_that_were_saved_make_the_same_site(
    init: Callable[..., Result], sites: Path, tmp_path: Path
) -> None:
    init(*FLAGS, "--ntp=10.20.0.3", f"--save-answers={tmp_path / 'answers.yml'}")
    first = tree(sites / "first")
    (sites / "first").rename(sites / "before")
    init(f"--answers={tmp_path / 'answers.yml'}")
    assert tree(sites / "first") == first


def test_a_conversation_in_a_real_terminal(sites: Path) -> None:
    """Through a pseudo-terminal: questions appear, Ctrl-C leaves and writes nothing."""
    program = str(Path(sys.executable).with_name("rackwright"))
    arguments = ["init", "--no-secrets", "--output", str(sites / "first")]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    child = pexpect.spawn(program, arguments, encoding="utf-8", timeout=60, env=environment)
    child.expect(r"Name of the site \[production\]: ")
    child.sendline("")
    child.expect(r"Size \[small\]: ")
    child.sendintr()
    child.expect("interrupted")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert not sites.exists()

    child = pexpect.spawn(program, arguments, encoding="utf-8", timeout=60, env=environment)
    for line in (TALK + "y").split("\n"):
        child.expect("]: |: ")
        child.sendline(line)
    child.expect("files written")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (sites / "first/hosts.yml").is_file()
