"""`rackwright bundle key`: the key that signs bundles."""

from __future__ import annotations

import click


@click.command("key")
@click.option("--make", "making", is_flag=True, help="Make one; there is none yet.")
@click.option("--name", default="signer", show_default=True, help="Whose it is, for people.")
def key_command(making: bool, name: str) -> None:
    """Show or make the key that signs bundles here."""
    from rackwright.bundle import sign  # noqa: PLC0415 - slow to import

    found = sign.make_key(name) if making else sign.fingerprint()
    click.echo(found)
    if making:
        click.echo(
            f"bundle_signer: {found}    # for the site's inventory; the key is in {sign.key_home()}", err=True
        )
