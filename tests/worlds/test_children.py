"""The environments of children."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.worlds.children import builder, credential_names, installer, is_credential, isolated

CREDENTIALS = (
    "TWINE_PASSWORD",
    "TWINE_USERNAME",
    "TWINE_REPOSITORY_URL",
    "UV_PUBLISH_TOKEN",
    "UV_PUBLISH_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_RUNTIME_TOKEN",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "SIGSTORE_IDENTITY_TOKEN",
    "PYPI_ID_TOKEN",
    "TESTPYPI_ID_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "MY_API_KEY",
    "HATCH_INDEX_AUTH_PASSWORD",
    "FLIT_PASSWORD",
    "npm_token",
    "DEPLOY_SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "PIP_SECRET",
)

USER = {
    "PATH": "/usr/bin",
    "HOME": "/home/someone",
    "LANG": "de_DE.UTF-8",
    "LC_TIME": "de_DE.UTF-8",
    "TMPDIR": "/var/tmp",
    "PIP_INDEX_URL": "https://mirror.example/simple",
    "PIP_UPLOADED_PRIOR_TO": "P7D",
    "PIP_TARGET": "/somewhere",
    "UV_INDEX_URL": "https://mirror.example/simple",
    "UV_EXCLUDE_NEWER": "2026-01-01",
    "UV_CACHE_DIR": "/cache/uv",
    "XDG_CONFIG_HOME": "/home/someone/.config",
    "https_proxy": "http://proxy.example:3128",
    "HTTP_PROXY": "http://proxy.example:3128",
    "NO_PROXY": "internal.example, 127.0.0.1",
    "no_proxy": "other.example",
    "SSL_CERT_FILE": "/etc/corporate.pem",
    "NETRC": "/home/someone/.netrc",
    "PYTHONPATH": "/home/someone/lib",
    "PYTHONSTARTUP": "/home/someone/rc.py",
    "VIRTUAL_ENV": "/venv",
    "NOX_CURRENT_SESSION": "build",
    "CC": "gcc",
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_ENV": "/runner/env",
    "GITHUB_SHA": "0123",
    **dict.fromkeys(CREDENTIALS, "a real secret"),
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credential_names_are_known(name: str) -> None:
    """Every name that holds or leads to a credential is recognised, whatever its case."""
    assert is_credential(name)
    assert is_credential(name.lower())


@pytest.mark.parametrize(
    "name", ["PATH", "PIP_INDEX_URL", "COMPASS", "TOKENIZERS_PARALLELISM", "HTTPS_PROXY", "KEYS", "GITHUB_SHA"]
)
def test_ordinary_names_are_not_credentials(name: str) -> None:
    """A name that only contains such a word in another is left alone."""
    assert not is_credential(name)


def test_withheld_is_a_list_of_names_of_what_is_set() -> None:
    """Names, sorted, without values; an empty variable withholds nothing."""
    assert credential_names({"TWINE_PASSWORD": "x", "GH_TOKEN": "", "A_TOKEN": "y", "PATH": "z"}) == (
        "A_TOKEN",
        "TWINE_PASSWORD",
    )


def test_an_installer_keeps_the_users_sources() -> None:
    """Indexes, proxies, authorities and HOME stay; credentials, cool-downs, redirections and the rest go."""
    assert installer(USER) == {
        "PATH": "/usr/bin",
        "HOME": "/home/someone",
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "de_DE.UTF-8",
        "TMPDIR": "/var/tmp",
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "UV_INDEX_URL": "https://mirror.example/simple",
        "UV_CACHE_DIR": "/cache/uv",
        "XDG_CONFIG_HOME": "/home/someone/.config",
        "https_proxy": "http://proxy.example:3128",
        "HTTP_PROXY": "http://proxy.example:3128",
        "NO_PROXY": "internal.example,127.0.0.1,other.example,localhost",
        "no_proxy": "internal.example,127.0.0.1,other.example,localhost",
        "SSL_CERT_FILE": "/etc/corporate.pem",
        "NETRC": "/home/someone/.netrc",
    }


def test_a_builder_has_a_fixed_locale_and_the_users_compiler() -> None:
    """A build does not depend on the user's language, zone or hash seed, and still finds the compiler."""
    made = builder({**USER, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "5"})
    fixed = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
    locale = {"LANG", "LC_TIME"}
    expected = {name: value for name, value in installer(USER).items() if name not in locale}
    assert made == expected | fixed | {"CC": "gcc"}


def test_an_isolated_child_sees_nothing_of_the_user(tmp_path: Path) -> None:
    """Signers, uploaders and probes: an empty private HOME, the null keyring, no proxy, no configuration."""
    home = tmp_path / "home/signer"
    made = isolated(USER, home=home)
    own = {name for name, value in made.items() if value.startswith(str(home))}
    assert own == {
        "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
    }  # fmt: skip
    assert {name: value for name, value in made.items() if name not in own} == {
        "PATH": "/usr/bin",
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "de_DE.UTF-8",
        "TMPDIR": "/var/tmp",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    assert list(home.iterdir()) == []
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_publish_may_need_the_users_proxy(tmp_path: Path) -> None:
    """With ``network`` proxies and authorities pass, and still no credential."""
    made = isolated(USER, home=tmp_path / "home", network=True)
    assert made["https_proxy"] == "http://proxy.example:3128"
    assert made["SSL_CERT_FILE"] == "/etc/corporate.pem"
    assert "a real secret" not in made.values()


@given(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z_]{0,20}", fullmatch=True), st.text(max_size=5)))
def test_no_child_gets_a_credential_whatever_is_set(environ: dict[str, str]) -> None:
    """For any environment, no variable that looks like a credential reaches an installer or a builder."""
    for made in (installer(environ), builder(environ)):
        assert credential_names(made) == ()
