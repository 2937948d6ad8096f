"""Redaction: what looks like a secret is not shown, nor what we hold as one, and all else is."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hephaestus.toolchain.redaction import redact

SECRETS = [
    "pypi-" + "AgEIcHlwaS5vcmcCJDAwMDAwMDAw",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvIn0.c2lnbmF0dXJl",
    "eyJhbGciOiJub25lIn0.cGxhbnRlZA.",
    "ghp_" + "0123456789abcdefABCD",
    "ghs_" + "0123456789abcdefABCD",
    "ghs_" + "a" * 36,
    "github_pat_" + "11ABCDEFG0123456789_abcdef",
    base64.b64encode(b"__token__:pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw").decode(),
    base64.b64encode(b"pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw").decode(),
]

BASE64URL = string.ascii_letters + string.digits + "-_"
ALNUM = string.ascii_letters + string.digits


def drawn(alphabet: str, least: int, most: int = 90) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


def joined(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


#: Every kind of token as its issuer makes it.
TOKENS = st.one_of(
    joined("pypi-Ag", drawn(BASE64URL, 16)),
    joined("eyJhbGciOi", drawn(BASE64URL, 4), ".eyJ", drawn(BASE64URL, 8), ".", drawn(BASE64URL, 0)),
    joined("gh", st.sampled_from("oprsu"), "_", drawn(ALNUM, 16)),
    joined("github_pat_", drawn(ALNUM + "_", 16)),
)
#: What may stand in a password of an address as it is.
PASSWORDS = drawn(ALNUM + "-._~!$&'()*+,;=%:", 1, 40).map(lambda text: f"Zq9{text}")
CREDENTIALS = drawn(ALNUM + "+/", 12, 60).map(lambda text: f"Zq9{text}=")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", ["{}", "token={}", "'{}'", "a {} b", "error: {}\nnext", '{{"value": "{}"}}', "({})"])
def test_tokens_are_taken_out_wherever_they_stand(secret: str, place: str) -> None:
    """Tokens of PyPI and GitHub and JSON Web Tokens vanish; the text around them stays."""
    assert redact(place.format(secret)) == place.format("***")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:hunter2@example.org/simple", "https://***@example.org/simple"),
        ("https://:hunter2@example.org/", "https://***@example.org/"),
        ("https://hunter2@example.org/", "https://***@example.org/"),
        ("git+https://x:hun%40ter2@example.org/r.git", "git+https://***@example.org/r.git"),
        ("https://x:hun@ter2@example.org/", "https://***@example.org/"),
        ("https%3A%2F%2Fme%3Ahunter2%40example.org%2F", "https%3A%2F%2F***%40example.org%2F"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer ***"),
        ("authorization: Basic bWU6aHVudGVyMg==", "authorization: Basic ***"),
        ("{'Authorization': b'Basic bWU6aHVudGVy'}", "{'Authorization': b'Basic ***'}"),
        ("sent Bearer 0123456789abcdef along", "sent Bearer *** along"),
        ("::add-mask::anything-at-all", "::add-mask::***"),
    ],
)
def test_credentials_in_addresses_headers_and_masks_are_taken_out(text: str, shown: str) -> None:
    """User, password, authorization and what a tool asks to be masked never get through; host and scheme do."""
    assert redact(text) == shown


ORDINARY = [
    "https://pypi.example.org/simple/pypi-attestations/",
    "pypi-attestations==0.0.30",
    "pypi-attestations-verifier-of-something",
    f"sha256:{'0123456789abcdef' * 4}",
    "http://127.0.0.1:8080/a@b",
    "git@example.org:o/r.git",
    "ssh://git@example.org/o/r.git",
    "tiny_project-1.2.3-py3-none-any.whl",
    "Invalid API Token: scope",
    "bearer authentication failed",
    "Basic authentication is not supported",
    "password: <hidden>",
    "mail a@example.org",
    "=?utf-8?b?w6Q=?=",
    "https://example.org/x?y=1&z=2#f",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_what_is_no_secret_is_shown(text: str) -> None:
    """Names, digests, addresses and versions are left readable."""
    assert redact(text) == text


@given(st.lists(st.sampled_from([*ORDINARY, "a", "1.2.3", "->", "next:", "`nox -s check`"]), max_size=12))
def test_ordinary_text_is_unchanged(words: list[str]) -> None:
    """Whatever is made of ordinary words stays as it is."""
    text = " ".join(words)
    assert redact(text) == text


@given(st.text(max_size=300))
def test_text_without_any_sign_of_a_secret_is_unchanged(text: str) -> None:
    """Only what begins as a secret does can be taken for one."""
    signs = (
        "pypi-",
        "eyj",
        "gh",
        "://",
        "%3a%2f%2f",
        "bearer",
        "basic",
        "uthorization",
        "add-mask",
        "x190",
        "chlw",
        "zxlk",
    )
    assume(not any(sign in text.lower() for sign in signs))
    assert redact(text) == text


@given(st.text(max_size=60), TOKENS, st.text(max_size=60))
def test_any_token_is_gone_wherever_it_stands(before: str, token: str, after: str) -> None:
    """Glued to whatever stands before and after: no piece of a token as long as sixteen characters is left."""
    assume(not any(token[at : at + 16] in before + after for at in range(len(token) - 15)))
    shown = redact(f"{before}{token}{after}")
    assert not any(token[at : at + 16] in shown for at in range(len(token) - 15))


@given(st.text(max_size=40), st.sampled_from(["https", "http", "git+https"]), PASSWORDS, st.text(max_size=40))
def test_any_password_of_an_address_is_gone(before: str, scheme: str, password: str, after: str) -> None:
    """With a user, without one, or alone: what stands before the host is not shown."""
    assume(password not in before + after)
    for user in (f"me:{password}", f":{password}", password):
        assert password not in redact(f"{before} {scheme}://{user}@example.org/{after}")


@given(st.text(max_size=40), st.sampled_from(["Basic", "Bearer", "bearer", "BASIC"]), CREDENTIALS)
def test_any_authorization_header_is_gone(before: str, scheme: str, credential: str) -> None:
    """As a header, in a dictionary, or in passing."""
    assume(credential not in before)
    for header in (f"Authorization: {scheme} {credential}", f"{{'Authorization': '{scheme} {credential}'}}"):
        assert credential not in redact(f"{before}{header}")
    assert credential not in redact(f"{before} {scheme} {credential}")


@pytest.mark.parametrize("beginning", ["eyJ", "pypi-", "%3a%2f%2f", "://", "bearer ", "a", "gh", "X190b2tlbl9fO "])
def test_text_that_only_begins_as_a_secret_does_is_read_once(beginning: str) -> None:
    """A long text of beginnings and no secret is unchanged; read anew from each of them it would take minutes."""
    text = beginning * 40_000
    assert redact(text) == text


@given(st.text(max_size=200))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """Redacted text is safe to pass on and to redact again."""
    assert redact(redact(text)) == redact(text)


def in_base64(encode: Callable[[bytes], bytes], before: bytes, value: str, after: bytes) -> str:
    return encode(before + value.encode() + after).decode()


class TestByValue:
    """What we hold under a secret's name is not shown, whatever it looks like."""

    @given(st.text(min_size=8, max_size=40), st.binary(max_size=5), st.binary(max_size=5))
    def test_in_every_form(self, value: str, before: bytes, after: bytes) -> None:
        """Plain, percent-encoded, escaped, and in base64 of anything that holds it, the value is gone."""
        value = " ".join(value.split())
        assume(len(value) >= 8)
        environ = {"MY_OWN_API_KEY": value}
        forms = [value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value), repr(value)]
        for form in forms:
            assert form.strip("'\"") not in redact(f"<{form}>", environ=environ)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = in_base64(encode, before, value, after)
            assert "***" in redact(text, environ=environ)
            assert in_base64(encode, b"", value, b"")[4:-4] not in redact(text, environ=environ)

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("GITHUB_TOKEN", False),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", False),
            ("TWINE_PASSWORD", False),
            ("AWS_SECRET_ACCESS_KEY", False),
            ("my_api_key", False),
            ("UV_INDEX_PRIVATE_PASSWORD", False),
            ("TWINE_REPOSITORY", True),
            ("TWINE_USERNAME", True),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", True),
            ("AWS_ACCESS_KEY_ID", True),
            ("PATH", True),
        ],
    )
    def test_the_name_decides(self, name: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """Values of secrets' names vanish, of this process and of a child alike; settings and users are words."""
        assert ("testpypi-and-more" in redact("to testpypi-and-more", environ={name: "testpypi-and-more"})) is kept
        monkeypatch.setenv(name, "testpypi-and-more")
        assert ("testpypi-and-more" in redact("to testpypi-and-more")) is kept

    def test_the_password_of_an_address_in_any_variable(self) -> None:
        """A private index's password is not shown by itself either, quoted or not."""
        environ = {"PIP_EXTRA_INDEX_URL": "https://pypi.org/simple https://me:hunter%2B2hunter@example.org/simple"}
        assert redact("hunter+2hunter hunter%2B2hunter me", environ=environ) == "*** *** me"

    def test_each_line_of_a_key(self) -> None:
        """A key of several lines is recognised line by line."""
        environ = {"DEPLOY_PRIVATE_KEY": "-----BEGIN KEY-----\nq0q0q0q0q0\nr1r1r1r1r1\n"}
        assert redact("say r1r1r1r1r1 and q0q0q0q0q0", environ=environ) == "say *** and ***"

    def test_a_short_value_is_a_word(self) -> None:
        """What any text may hold is not struck out of every text."""
        assert redact("true or not", environ={"USE_TOKEN": "true"}) == "true or not"

    def test_an_address_that_is_none_and_bytes_that_are_no_text(self) -> None:
        """Odd values of the environment break nothing."""
        environ = {"A": "http://[@", "B_TOKEN": "0123\udcff4567"}
        assert redact("http://[@ 0123\udcff4567", environ=environ) == "http://***@ ***"
