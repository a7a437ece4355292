import os
import stat
import string
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from rackwright.errors import RackwrightError
from rackwright.secrets import atomic, store
from rackwright.secrets.atomic import write_once
from rackwright.secrets.location import password_path, site_directory, vault_path
from rackwright.secrets.vault import Vault, read_password


def decrypted(site: Path) -> dict[str, str]:
    return dict(Vault(vault_path(site), read_password(password_path())).read())


def test_init_draws_every_secret_with_its_length_from_letters_and_digits(site: Path) -> None:
    done = store.initialise([site])

    assert done.added == ("first", "second")
    values = decrypted(site)
    assert {name: len(value) for name, value in values.items()} == {"vault_first": 40, "vault_second": 64}
    assert set("".join(values.values())) <= set(string.ascii_letters + string.digits)


def test_files_are_for_their_owner_only(site: Path) -> None:
    done = store.initialise([site])

    assert stat.S_IMODE(done.vault.stat().st_mode) == 0o600
    assert stat.S_IMODE(done.password_file.stat().st_mode) == 0o600
    assert done.vault.read_bytes().startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")


def test_a_second_init_changes_no_byte(site: Path) -> None:
    first = store.initialise([site])
    before = (first.vault.read_bytes(), first.password_file.read_bytes(), first.vault.stat().st_mtime_ns)

    second = store.initialise([site])

    assert (second.added, second.password_created) == ((), False)
    assert (
        first.vault.read_bytes(),
        first.password_file.read_bytes(),
        first.vault.stat().st_mtime_ns,
    ) == before


def test_init_adds_only_what_is_new_and_keeps_what_the_operator_wrote(site: Path) -> None:
    store.initialise([site])
    vault = Vault(vault_path(site), read_password(password_path()))
    document = vault.read()
    document["vault_of_our_own"] = "kept"
    document.yaml_add_eol_comment("why it is here", "vault_of_our_own")
    vault.write(document)
    before = decrypted(site)
    specification = site.parents[1] / "group_vars/all/secrets.yml"
    specification.write_text(
        specification.read_text() + "  third: {length: 24, description: the third, play: base}\n"
    )

    assert store.initialise([site]).added == ("third",)

    after = decrypted(site)
    assert {name: after[name] for name in before} == before
    assert len(after["vault_third"]) == 24
    text = VaultLib([("default", VaultSecret(vault.password))]).decrypt(vault.path.read_bytes()).decode()
    assert "# why it is here" in text


def test_rotate_changes_one_secret_and_names_its_plays(site: Path) -> None:
    store.initialise([site])
    before = decrypted(site)

    assert store.rotate("second", [site]).plays == ("data", "app")

    after = decrypted(site)
    assert after["vault_first"] == before["vault_first"]
    assert after["vault_second"] != before["vault_second"]
    assert len(after["vault_second"]) == 64


def test_states_carry_no_value(site: Path) -> None:
    store.initialise([site])
    values = set(decrypted(site).values())

    shown = repr(store.states([site]))

    assert "'first'" in shown
    assert not any(value in shown for value in values)
    assert "is_set=False" not in shown


def test_states_of_a_new_site_say_that_nothing_is_set(site: Path) -> None:
    assert [state.is_set for state in store.states([site])] == [False, False]


def test_an_overlay_gets_the_vault_and_wins(site: Path, tmp_path: Path) -> None:
    store.initialise([site])
    overlay = tmp_path / "overlay"
    overlay.mkdir()

    done = store.initialise([site, overlay])

    assert done.vault == overlay / "group_vars/all/vault.yml"
    assert store.value_of("first", [site, overlay]) == decrypted(overlay)["vault_first"]
    assert store.value_of("first", [site]) == decrypted(site)["vault_first"]


def test_site_directory_of_files_is_where_the_last_one_lies(site: Path, tmp_path: Path) -> None:
    lone = tmp_path / "extra.yml"
    lone.touch()

    assert site_directory([site / "hosts.yml"]) == site
    assert site_directory([site, lone]) == site
    with pytest.raises(RackwrightError, match="no inventory directory"):
        site_directory([tmp_path / "absent"])


def test_a_vault_without_its_password_gets_no_new_password(site: Path) -> None:
    done = store.initialise([site])
    done.password_file.unlink()

    with pytest.raises(RackwrightError, match="cannot be read"):
        store.initialise([site])

    assert not done.password_file.exists()


def test_the_wrong_password_is_refused_and_the_vault_stays(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = store.initialise([site])
    before = done.vault.read_bytes()
    other = tmp_path / "other-password"
    other.write_text("not this one\n")
    other.chmod(0o600)
    monkeypatch.setenv("RACKWRIGHT_VAULT_PASSWORD_FILE", str(other))

    for call in (lambda: store.initialise([site]), lambda: store.rotate("first", [site])):
        with pytest.raises(RackwrightError, match="does not open it"):
            call()
    assert done.vault.read_bytes() == before


def test_a_password_file_that_others_may_read_is_refused(site: Path) -> None:
    done = store.initialise([site])
    done.password_file.chmod(0o644)

    with pytest.raises(RackwrightError, match="read by others"):
        store.value_of("first", [site])


def test_a_plain_vault_is_refused(site: Path) -> None:
    store.initialise([site])
    vault_path(site).write_text("vault_first: open\n")

    with pytest.raises(RackwrightError, match="not encrypted"):
        store.initialise([site])


def test_broken_yaml_in_the_vault_is_refused_without_quoting_it(site: Path) -> None:
    store.initialise([site])
    vault = Vault(vault_path(site), read_password(password_path()))
    encrypted = vault._library().encrypt("vault_first: 'topsecret\n  x: [")
    vault.path.write_bytes(encrypted)

    with pytest.raises(RackwrightError) as refused:
        vault.read()
    assert "topsecret" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("name", ["third", "", "vault_first"])
def test_an_unknown_secret_is_refused_with_the_known_ones(site: Path, name: str) -> None:
    store.initialise([site])

    with pytest.raises(RackwrightError) as refused:
        store.rotate(name, [site])
    assert refused.value.hint == "one of: first, second"


def test_a_failed_write_leaves_the_old_vault_and_no_litter(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = store.initialise([site])
    before = done.vault.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.rotate("first", [site])

    assert done.vault.read_bytes() == before
    assert [entry.name for entry in done.vault.parent.iterdir()] == ["vault.yml"]


def test_a_process_killed_while_it_writes_leaves_the_old_vault(site: Path) -> None:
    done = store.initialise([site])
    before = decrypted(site)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from rackwright.secrets import atomic, store\n"
        "atomic.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store.rotate('first', [Path(sys.argv[1])])\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(site)], check=False, env=os.environ)

    assert killed.returncode == -9
    assert decrypted(site) == before
    left = [entry for entry in done.vault.parent.iterdir() if entry.name != "vault.yml"]
    assert [entry.name.startswith(".vault.yml.") for entry in left] == [True]
    assert stat.S_IMODE(left[0].stat().st_mode) == 0o600
    store.rotate("first", [site])
    assert decrypted(site)["vault_second"] == before["vault_second"]


def test_ansible_reads_the_vault_and_ignores_what_a_crash_left(site: Path) -> None:
    done = store.initialise([site])
    (done.vault.parent / ".vault.yml.x.new").write_text("vault_first: [broken")

    shown = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-inventory"),
            "-i", site, "--host", "one", "--yaml",
            "--vault-password-file", done.password_file,
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    read = {name: value for name, value in yaml.safe_load(shown.stdout).items() if name.startswith("vault_")}
    assert read == decrypted(site)


def test_two_inits_at_once_draw_each_value_once(site: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rackwright.secrets import store\n"
        "print(store.initialise([Path(sys.argv[1])]).added)\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(site)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [(*process.communicate(), process.returncode) for process in both]

    assert [code for *_, code in told] == [0, 0], told
    assert sorted(answer.strip() for answer, *_ in told) == ["('first', 'second')", "()"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("secrets: {a: {length: 8, description: x, play: base}}", "secrets.a.length"),
        ("secrets: {a: {length: 40, description: x}}", "secrets.a.play"),
        ("secrets: {a: {length: 40, description: x, play: base, value: y}}", "secrets.a.value"),
        ("secrets: {A-b: {length: 40, description: x, play: base}}", "no name for a secret"),
        ("other: {}", "secrets: Field required"),
        ("secrets: [", "secrets.yml"),
    ],
)
def test_an_unsound_list_of_secrets_is_refused(site: Path, text: str, complaint: str) -> None:
    (site.parents[1] / "group_vars/all/secrets.yml").write_text(text)

    with pytest.raises(RackwrightError, match=complaint):
        store.initialise([site])
    assert not vault_path(site).exists()


def test_a_file_that_is_made_once_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"

    def full(_: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr("rackwright.secrets.atomic.os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            write_once(path, b"first", 0o600)
    assert list(tmp_path.iterdir()) == []

    write_once(path, b"first", 0o600)
    with pytest.raises(FileExistsError):
        write_once(path, b"second", 0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"first", 0o600)
    assert list(tmp_path.iterdir()) == [path]
