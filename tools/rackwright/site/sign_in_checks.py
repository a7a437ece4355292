"""Checks of how users sign in, as far as it takes more than one variable and the file that is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rackwright.catalogue.findings import Finding, short
from rackwright.site.plain import Value

_PROVIDER = "sign_in_provider"
_DOCS = "docs/sign-in.md"


def sign_in_findings(get: Callable[[str], Value], told: Sequence[Finding]) -> Iterator[Finding]:
    """Yield what keeps users from signing in, or from believing the provider.

    Args:
        get: Gives a site variable, None for one that is not set or cannot be templated.
        told: Findings in the types of variables; what is wrong in itself is looked at no further.
    """
    if any(finding.variable.lstrip(".").startswith(_PROVIDER) for finding in told):
        return
    provider = get(_PROVIDER) or {}
    ways = get("app_sign_in") or {}
    if ways.get("password") is False and not provider.get("client"):
        yield Finding(
            "app_sign_in.password",
            "False",
            "without passwords, and without a client of an identity provider, nobody can sign in to the page",
            f"give sign_in_provider a client, or leave it out; {_DOCS}",
        )
    authority = provider.get("authority")
    text = get("sign_in_authority") if authority else None
    if authority and isinstance(text, str) and "-----BEGIN CERTIFICATE-----" not in text:
        yield Finding(
            f"{_PROVIDER}.authority",
            short(authority),
            "the file holds no certificate in PEM form",
            "give the certificate of the authority that signed the provider's",
        )
