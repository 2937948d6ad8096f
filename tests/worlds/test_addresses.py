"""Where a publish finds its services: the public ones, or stand-ins on this machine and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hephaestus.worlds.addresses import PUBLIC, AddressesRefusedError, read_addresses


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    """A file as the stand-ins write it."""
    authority, trust = tmp_path / "authority.pem", tmp_path / "trust.json"
    authority.write_text("a certificate")
    urls = {"caUrls": [{"url": "http://127.0.0.1:5"}], "rekorTlogUrls": [{"url": "http://localhost:6"}]}
    trust.write_text(json.dumps({"signingConfig": urls}))
    return {
        "schema": 1,
        "indexes": {"testpypi": "http://127.0.0.1:1/", "pypi": "http://127.0.0.1:2"},
        "github": {"api": "http://127.0.0.1:3", "uploads": "http://localhost:3/uploads"},
        "trust_config": str(trust),
        "authority": str(authority),
        "proxy": "http://127.0.0.1:4",
    }


def written(folder: Path, told: object) -> dict[str, str]:
    path = folder / "services.json"
    path.write_text(json.dumps(told))
    return {"HEPHAESTUS_SERVICES": str(path)}


@pytest.mark.parametrize("environ", [{}, {"HEPHAESTUS_SERVICES": ""}])
def test_without_the_variable_they_are_the_public_ones(environ: dict[str, str]) -> None:
    """Unset or empty, a publish goes to the real services and trusts the public Sigstore."""
    assert read_addresses(environ) == PUBLIC
    assert PUBLIC.public


def test_stand_ins_on_this_machine_are_taken(told: dict[str, Any], tmp_path: Path) -> None:
    """Every address on the loopback: they are used, without trailing slashes, with a rehearsal's patience."""
    found = read_addresses(written(tmp_path, told))
    assert found.indexes == {"testpypi": "http://127.0.0.1:1", "pypi": "http://127.0.0.1:2"}
    assert not found.public
    assert found.propagation_seconds < PUBLIC.propagation_seconds


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("indexes", "pypi"), "https://pypi.org"),
        (("indexes", "pypi"), "http://127.0.0.1.example.org"),
        (("indexes", "pypi"), "http://user:secret@127.0.0.1:2"),
        (("indexes", "pypi"), "ftp://127.0.0.1"),
        (("indexes", "pypi"), "http://[::1"),
        (("indexes", "testpypi"), None),
        (("indexes",), "http://127.0.0.1:1"),
        (("github", "api"), "https://api.github.com"),
        (("github", "uploads"), "http://10.0.0.1"),
        (("proxy",), "http://proxy.example:3128"),
        (("trust_config",), "/no/such/file"),
        (("authority",), 5),
        (("schema",), 2),
    ],
)
def test_what_leads_anywhere_else_is_refused(
    told: dict[str, Any], tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    """One address off the loopback, one missing file, one wrong type: the whole file is refused, and named."""
    place: Any = told
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(AddressesRefusedError) as caught:
        read_addresses(written(tmp_path, told))
    assert path[-1] in "\n".join(caught.value.details)


def test_a_trust_configuration_that_signs_elsewhere_is_refused(told: dict[str, Any], tmp_path: Path) -> None:
    """A trust configuration whose certificate authority is the public one would leave public log entries."""
    Path(told["trust_config"]).write_text(
        json.dumps({"signingConfig": {"caUrls": [{"url": "https://fulcio.sigstore.dev"}]}})
    )
    with pytest.raises(AddressesRefusedError, match="HEPHAESTUS_SERVICES"):
        read_addresses(written(tmp_path, told))


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_file_that_is_no_description_is_refused(tmp_path: Path, content: str) -> None:
    """No JSON object: refused with the file's name."""
    path = tmp_path / "services.json"
    path.write_text(content)
    with pytest.raises(AddressesRefusedError) as caught:
        read_addresses({"HEPHAESTUS_SERVICES": str(path)})
    assert str(path) in caught.value.what


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A path to nothing is not taken for the public services."""
    with pytest.raises(AddressesRefusedError):
        read_addresses({"HEPHAESTUS_SERVICES": str(tmp_path / "none.json")})
