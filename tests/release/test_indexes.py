"""``[tool.hephaestus.release.indexes.NAME]``: what may be an index of one's own, and what is refused by its field."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.release.config import Config, ConfigurationError
from hephaestus.release.indexes import IndexConfig, index_problems
from hephaestus.toolchain.redaction import redact
from hephaestus.worlds.children import builder, installer, is_credential

HERE = "tool.hephaestus.release.indexes"
GOOD = {"upload-url": "https://packages.example.org/upload/", "simple-url": "https://packages.example.org/simple"}


def read(table: Any, name: str = "internal") -> IndexConfig:
    """The index of that table."""
    return Config.read({"indexes": {name: table}}).indexes[name]


def test_two_addresses_are_enough() -> None:
    """User and variable have defaults; a loopback may be plain http."""
    assert read(GOOD) == IndexConfig(upload_url=GOOD["upload-url"], simple_url=GOOD["simple-url"])
    assert read(GOOD).username == "__token__"
    assert read(GOOD).token_variable == "HEPHAESTUS_INDEX_TOKEN"
    for host in ("127.0.0.1:8080", "localhost", "[::1]:3141"):
        assert read({**GOOD, "upload-url": f"http://{host}/"}).upload_url == f"http://{host}/"


def test_more_than_one_index() -> None:
    """Each table is read by itself, every field of it."""
    other = {**GOOD, "username": "robot", "token-variable": "STAGING_PASSWORD"}
    found = Config.read({"indexes": {"internal": GOOD, "staging-2": other}}).indexes
    assert list(found) == ["internal", "staging-2"]
    assert (found["staging-2"].username, found["staging-2"].token_variable) == ("robot", "STAGING_PASSWORD")


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"upload-url": ""}, "upload-url", "is missing"),
        ({"simple-url": ""}, "simple-url", "is missing"),
        ({"upload-url": "http://packages.example.org/"}, "upload-url", "must be https"),
        ({"upload-url": "ftp://packages.example.org/"}, "upload-url", "must be an address"),
        ({"upload-url": "packages.example.org"}, "upload-url", "must be an address"),
        ({"upload-url": "https:///x"}, "upload-url", "must be an address"),
        ({"upload-url": "https://packages.example.org:x/"}, "upload-url", "is no address"),
        ({"upload-url": "https://[::1/"}, "upload-url", "is no address"),
        ({"upload-url": "https://a b/"}, "upload-url", "white space"),
        ({"simple-url": "https://u:secret-9@x.example.org/"}, "simple-url", "holds a user or a password"),
        ({"simple-url": "https://x.example.org/?token=1"}, "simple-url", "without a query"),
        ({"simple-url": "https://x.example.org/#x"}, "simple-url", "without a fragment"),
        ({"upload-url": "https://upload.pypi.org/legacy/"}, "upload-url", "is a public index"),
        ({"upload-url": "https://TEST.PyPI.org./legacy/"}, "upload-url", "is a public index"),
        ({"simple-url": "https://pypi.org/simple/"}, "simple-url", "is a public index"),
        ({"username": ""}, "username", "printable ASCII"),
        ({"username": "a:b"}, "username", "without a colon"),
        ({"username": "a b"}, "username", "white space"),
        ({"token-variable": "MY_KEY"}, "token-variable", "must be upper case and end in _TOKEN"),
        ({"token-variable": "my_token"}, "token-variable", "must be upper case"),
        ({"token-variable": "_TOKEN"}, "token-variable", "must be upper case"),
        ({"token-variable": "GITHUB_TOKEN"}, "token-variable", "variable of another service"),
        ({"token-variable": 3}, "token-variable", "must be a string"),
        ({"token": "x"}, "token", "is unknown; known here: simple-url, token-variable, upload-url, username"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(change: dict[str, Any], field: str, problem: str) -> None:
    """Every wrong value: the dotted field, the problem, and no password of an address in the message."""
    with pytest.raises(ConfigurationError) as caught:
        read({**GOOD, **change})
    assert f"{HERE}.internal.{field} " in caught.value.what
    assert problem in caught.value.what
    assert "secret-9" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("pypi", "name of a public index"), ("testpypi", "name of a public index"), ("Internal", "lower case"),
        ("a b", "lower case"), ("", "lower case"), ("-x", "lower case"), ("x-", "lower case"), ("a" * 41, "40 at most"),
        ("x:y", "lower case"), ("x\n", "lower case"),
    ],
)  # fmt: skip
def test_names(name: str, problem: str) -> None:
    """The public names are taken, and a name is one that a label, a message and a command line can carry."""
    with pytest.raises(ConfigurationError, match=problem):
        read(GOOD, name)


@pytest.mark.parametrize("table", [3, "x", [], {"internal": 3}, {"internal": []}])
def test_what_is_no_table(table: Any) -> None:
    """Neither the tables nor one of them can be anything else."""
    with pytest.raises(ConfigurationError, match=r"indexes(\.internal)? must be a table"):
        Config.read({"indexes": table})


VARIABLES = st.from_regex(r"[A-Z][A-Z0-9_]{0,12}_(?:TOKEN|PASSWORD)\Z")


@given(variable=VARIABLES, token=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40))
def test_a_variable_that_is_accepted_is_a_secret_everywhere(variable: str, token: str) -> None:
    """Whatever name is accepted: its value is struck from output, whatever it looks like, and reaches no child."""
    problems = dict(index_problems("internal", IndexConfig(**_fields(GOOD), token_variable=variable)))
    if "token-variable" in problems:
        return
    with mock.patch.dict(os.environ, {variable: token}, clear=True):
        told = f"<{token}>"
        assert redact(told) != told
    assert is_credential(variable)
    assert variable not in builder({variable: token})
    assert variable not in installer({variable: token})


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_judged(upload: str, simple: str, user: str, variable: str, name: str) -> None:
    """Whatever stands there, it is judged; nothing else is raised."""
    index = IndexConfig(upload_url=upload, simple_url=simple, username=user, token_variable=variable)
    assert all(problem for _, problem in index_problems(name, index))


def _fields(table: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in table.items()}
