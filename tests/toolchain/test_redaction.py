"""Redaction: what looks like a secret is not shown, and all else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.toolchain.redaction import redact

SECRETS = [
    "pypi-" + "AgEIcHlwaS5vcmcCJDAwMDAwMDAw",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvIn0.c2lnbmF0dXJl",
    "ghp_" + "0123456789abcdefABCD",
    "ghs_" + "0123456789abcdefABCD",
    "github_pat_" + "11ABCDEFG0123456789_abcdef",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", ["{}", "token={}", "'{}'", "a {} b", "error: {}\nnext", '{{"value": "{}"}}'])
def test_tokens_are_taken_out_wherever_they_stand(secret: str, place: str) -> None:
    """Tokens of PyPI and GitHub and JSON Web Tokens vanish; the text around them stays."""
    assert redact(place.format(secret)) == place.format("***")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:hunter2@example.org/simple", "https://***@example.org/simple"),
        ("https://:hunter2@example.org/", "https://***@example.org/"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer ***"),
        ("authorization: Basic bWU6aHVudGVyMg==", "authorization: Basic ***"),
    ],
)
def test_credentials_in_addresses_and_headers_are_taken_out(text: str, shown: str) -> None:
    """User, password and authorization never get through; host and scheme do."""
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://pypi.example.org/simple/pypi-attestations/",
        "pypi-attestations==0.0.30",
        f"sha256:{'0123456789abcdef' * 4}",
        "http://127.0.0.1:8080/a@b",
        "git@example.org:o/r.git",
        "tiny_project-1.2.3-py3-none-any.whl",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    """Names, digests, addresses and versions are left readable."""
    assert redact(text) == text


@given(st.text(max_size=60), st.sampled_from(SECRETS), st.text(max_size=60))
def test_nothing_around_a_token_keeps_it(before: str, secret: str, after: str) -> None:
    """Whatever stands before and after, the token itself is not in the output."""
    assert secret not in redact(f"{before} {secret} {after}")


@given(st.text(max_size=200))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """Redacted text is safe to pass on and to redact again."""
    assert redact(redact(text)) == redact(text)
