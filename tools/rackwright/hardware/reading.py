"""The error of an output that cannot be read, and the small steps that all readers share."""

from __future__ import annotations

from rackwright.errors import RackwrightError


class ReadingError(RackwrightError):
    """An output is cut off or is not what the program prints; no number is taken from it.

    Args:
        what: the program or file.
        why: what is wrong with it.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            f"{what}: {why}",
            hint="scan again; when it says the same, run the program on the host and look at its output",
        )


def number(what: str, text: str) -> int:
    """Return a whole number that is not negative.

    Raises:
        ReadingError: the text is anything else.
    """
    if not text.isascii() or not text.isdigit():
        raise ReadingError(what, f"`{text}` is no number")
    return int(text)


def clean(text: str) -> str:
    """Return a text of a host without what could be taken for a template or garble a terminal.

    What a scan stores becomes a variable of Ansible, which would evaluate braces in it: the model of a disk
    must not be able to run something on the control node.
    """
    visible = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(visible.replace("{", "(").replace("}", ")").split())
