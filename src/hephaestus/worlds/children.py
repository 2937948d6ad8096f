"""The complete environment of every kind of child: what each may see is listed, the rest does not exist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["AUTHORITY_VARIABLES", "LOOPBACK", "builder", "credential_names", "installer", "is_credential", "isolated"]

#: What must never be sent through a proxy: the listeners on this machine.
LOOPBACK = ("127.0.0.1", "localhost")

#: Where clients look for the one certificate authority they are to trust.
AUTHORITY_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")

#: What any program needs to run at all; nothing here tells who the user is or where a service lies.
_BASE = frozenset(
    {
        "COMSPEC",
        "LANG",
        "LANGUAGE",
        "NUMBER_OF_PROCESSORS",
        "PATH",
        "PATHEXT",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TERM",
        "TMP",
        "TMPDIR",
        "TZ",
        "WINDIR",
    }
)
_LOCALE = re.compile(r"LC_[A-Z]+\Z")

#: How services are reached: proxies and certificate authorities.
_NETWORK = frozenset(
    {
        "ALL_PROXY",
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)

#: What installers and builders read besides: where packages come from.
_SOURCES = _NETWORK | {
    "APPDATA",
    "HOME",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "LOGNAME",
    "NETRC",
    "USER",
    "USERNAME",
    "USERPROFILE",
}
_SOURCE_PREFIXES = ("PIP_", "UV_", "XDG_", "VIRTUALENV_")

#: Compilers and their flags: a build backend with an extension module reads them.
_COMPILERS = frozenset(
    {
        "AR",
        "ARCHFLAGS",
        "AS",
        "CC",
        "CFLAGS",
        "CPATH",
        "CPPFLAGS",
        "CXX",
        "CXXFLAGS",
        "FC",
        "FFLAGS",
        "LD",
        "LDFLAGS",
        "LD_LIBRARY_PATH",
        "LIBRARY_PATH",
        "MACOSX_DEPLOYMENT_TARGET",
        "PKG_CONFIG_PATH",
        "RANLIB",
        "RUSTFLAGS",
        "SDKROOT",
        "STRIP",
    }
)
_COMPILER_PREFIXES = ("CARGO_", "CMAKE_", "RUSTUP_")

#: Cool-downs hide a fresh release from the very installation that is to prove it (facts: pypi, section 5).
_COOL_DOWNS = frozenset({"PIP_UPLOADED_PRIOR_TO", "UV_EXCLUDE_NEWER", "UV_EXCLUDE_NEWER_PACKAGE"})

#: Settings that would send an installation somewhere else than into the environment it is meant for.
_REDIRECTIONS = frozenset(
    {
        "PIP_DRY_RUN",
        "PIP_PREFIX",
        "PIP_PYTHON",
        "PIP_ROOT",
        "PIP_TARGET",
        "PIP_USER",
        "UV_PROJECT",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_WORKING_DIRECTORY",
    }
)

_CREDENTIAL_WORDS = re.compile(
    r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|PASS|SECRET|SECRETS|CREDENTIAL|CREDENTIALS|APIKEY|API_KEY|PRIVATE_KEY|ACCESS_KEY)(?:_|$)"
)
_CREDENTIAL_PREFIXES = (
    "ACTIONS_",
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "PYPI_",
    "SIGSTORE_",
    "TESTPYPI_",
    "TWINE_",
    "UV_PUBLISH_",
)


def is_credential(name: str) -> bool:
    """Whether a variable of this name may hold a credential or lead to one."""
    upper = name.upper()
    return upper.startswith(_CREDENTIAL_PREFIXES) or _CREDENTIAL_WORDS.search(upper) is not None


def credential_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the non-empty variables that look like credentials; values are never read out."""
    return tuple(sorted(name for name, value in environ.items() if value and is_credential(name)))


def installer(environ: Mapping[str, str]) -> dict[str, str]:
    """For pip and uv: the user's sources, proxies, authorities and HOME; no credential variable, no cool-down."""
    kept = _kept(environ, names=_BASE | _SOURCES, prefixes=_SOURCE_PREFIXES)
    return _reaching_loopback(kept)


def builder(environ: Mapping[str, str]) -> dict[str, str]:
    """For build frontends and backends: as for installers, with compiler settings and a fixed locale, zone and seed."""
    kept = _kept(environ, names=_BASE | _SOURCES | _COMPILERS, prefixes=(*_SOURCE_PREFIXES, *_COMPILER_PREFIXES))
    for name in [name for name in kept if _LOCALE.match(name) or name in ("LANG", "LANGUAGE")]:
        del kept[name]
    return _reaching_loopback(kept) | {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}


def isolated(environ: Mapping[str, str], *, home: Path, network: bool = False) -> dict[str, str]:
    """For signers, uploaders and probes: an empty HOME, no configuration, no credential, no keyring.

    ``home`` is made, with mode 0700. ``network`` lets the user's proxies and certificate authorities through: a
    publish may need them to reach the real services, a rehearsal must not have them.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = str(home)
    kept = _kept(environ, names=_BASE | (_NETWORK if network else frozenset()), prefixes=())
    return _reaching_loopback(kept) | {
        "HOME": place,
        "USERPROFILE": place,
        "APPDATA": place,
        "LOCALAPPDATA": place,
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


def _kept(environ: Mapping[str, str], *, names: frozenset[str], prefixes: tuple[str, ...]) -> dict[str, str]:
    def passes(name: str) -> bool:
        upper = name.upper()
        wanted = upper in names or _LOCALE.match(upper) or (prefixes and upper.startswith(prefixes))
        return bool(wanted) and not is_credential(name) and upper not in _REDIRECTIONS | _COOL_DOWNS

    return {name: value for name, value in environ.items() if passes(name)}


def _reaching_loopback(environ: dict[str, str]) -> dict[str, str]:
    """``environ`` with the loopback added to what goes past proxies; both spellings say the same."""
    given = [part.strip() for name in ("NO_PROXY", "no_proxy") for part in environ.get(name, "").split(",")]
    value = ",".join(dict.fromkeys(filter(None, (*given, *LOOPBACK))))
    return environ | {"NO_PROXY": value, "no_proxy": value}
