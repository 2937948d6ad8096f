"""The options of an installation: defaults read when asked, contradictions named before anything is done."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.consumer.identity import IdentityRefused
from hephaestus.consumer.options import InstallOptions, Source, default_destination
from hephaestus.consumer.pip_arguments import unfit_pip_arguments
from hephaestus.consumer.refusals import OptionsRefused

BASE = "https://github.com/o/r/.github/workflows/x.yml"
WIDE = "https://github.com/*/*/.github/workflows/x.yml@refs/tags/v1"


def read(environ: dict[str, str] | None = None, **given: Any) -> InstallOptions:
    """The options as the command reads them."""
    return InstallOptions.read(given, environ=environ or {})


def test_the_defaults_are_those_of_the_installed_base() -> None:
    """What facts/consumers.md lists, option by option."""
    options = read()
    assert (options.source, options.repository, options.tag) == (Source.GITHUB, "IAmJonoBo/Hephaestus", "")
    assert options.asset_pattern == "*wheelhouse*.tar.gz"
    assert options.manifest_pattern == "*wheelhouse*.sha256"
    assert options.sigstore_pattern == "*wheelhouse*.sigstore"
    assert (options.timeout, options.max_retries, options.token) == (10.0, 3, None)
    assert (options.python, options.pip_args, options.project) == (sys.executable, (), "hephaestus-toolkit")
    assert not any((options.allow_unsigned, options.overwrite, options.cleanup, options.remove_archive))
    assert read(source="pypi").index_url == "https://pypi.org/simple/"
    assert read(source="Test-PyPI").index_url == "https://test.pypi.org/simple/"


def test_the_environment_is_read_when_asked_and_the_command_line_wins() -> None:
    """The variables of old, at call time; an empty one is none."""
    environ = {
        "HEPHAESTUS_RELEASE_REPOSITORY": "a/b",
        "HEPHAESTUS_RELEASE_ASSET_PATTERN": "x*",
        "HEPHAESTUS_RELEASE_MANIFEST_PATTERN": "y*",
        "HEPHAESTUS_RELEASE_SIGSTORE_PATTERN": "z*",
        "HEPHAESTUS_RELEASE_CACHE": "/here",
        "GITHUB_TOKEN": "ghs_" + "a" * 36,
    }
    options = read(environ)
    patterns = (options.asset_pattern, options.manifest_pattern, options.sigstore_pattern)
    assert (options.repository, patterns, options.destination) == ("a/b", ("x*", "y*", "z*"), Path("/here"))
    assert (options.token, options.wide_token) == ("ghs_" + "a" * 36, False)
    given = read(environ, repository="c/d", asset_pattern="q*", destination="/there", token="other")
    assert (given.repository, given.asset_pattern, given.destination) == ("c/d", "q*", Path("/there"))
    assert given.wide_token
    assert read(dict.fromkeys(environ, "")).token is None


def test_the_token_is_found_where_githubs_own_tools_find_it() -> None:
    """As every other command finds it: GITHUB_TOKEN, else GH_TOKEN; what is said on the command line wins."""
    forge, gh = "ghs_" + "a" * 36, "gho_" + "b" * 36
    assert read({"GITHUB_TOKEN": forge, "GH_TOKEN": gh}).token == forge
    assert read({"GITHUB_TOKEN": "", "GH_TOKEN": gh}).token == gh
    assert read({"GH_TOKEN": gh}, token=forge).token == forge


@pytest.mark.parametrize("token", ["gho_", "ghu_", "ghr_", "ghp_", "ghs_", "github_pat_"])
def test_no_token_of_githubs_looks_odd(token: str) -> None:
    """Every prefix GitHub gives out (facts: consumers, section 8: three of them used to warn)."""
    assert not read(token=token + "a" * 36).wide_token


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/hephaestus/wheelhouses"),
        ("linux", {}, "~/.cache/hephaestus/wheelhouses"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "~/.cache/hephaestus/wheelhouses"),
        ("darwin", {}, "~/Library/Caches/hephaestus/wheelhouses"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/hephaestus/wheelhouses"),
        ("linux", {"HEPHAESTUS_RELEASE_CACHE": "~/mine", "XDG_CACHE_HOME": "/xdg"}, "~/mine"),
    ],
)
def test_the_cache_is_where_each_system_has_it(
    monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], expected: str
) -> None:
    """The folders of facts/consumers.md, section 3."""
    monkeypatch.setattr("sys.platform", platform)
    assert default_destination(environ) == Path(expected).expanduser()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "conda"}, "--source 'conda' is none of github, pypi, test-pypi"),
        ({"source": "internal"}, "a private index is none of them, since nothing on it is signed"),
        ({"allow_unsigned": True, "require_sigstore": True}, "contradict each other"),
        ({"sigstore_identity": (f"{BASE}@refs/tags/*",), "workflow": "y.yml"}, "contradict each other"),
        ({"download_only": True, "cleanup": True}, "contradict each other"),
        ({"download_only": True, "remove_archive": True}, "contradict each other"),
        ({"download_only": True, "pip_args": ("--user",)}, "contradict each other"),
        ({"download_only": True, "target": "3.12-win_amd64", "python": "x"}, "contradict each other"),
        ({"download_only": True, "target": "3.12-win_amd64", "asset_pattern": "x"}, "contradict each other"),
        ({"download_only": True, "target": "windows"}, "--target 'windows' is not PYTHON-PLATFORM"),
        ({"target": "3.12-win_amd64"}, "it needs --download-only"),
        ({"source": "pypi", "target": "3.12-win_amd64"}, "means nothing with --source pypi"),
        ({"project": "x"}, "--project means nothing with --source github"),
        ({"index_url": "https://x.org/simple/"}, "--index-url means nothing with --source github"),
        ({"extra_index_url": "https://x.org/simple/"}, "--extra-index-url means nothing with --source github"),
        ({"source": "pypi", "asset_pattern": "x"}, "--asset-pattern means nothing with --source pypi"),
        ({"source": "pypi", "github_url": "https://g.example.org/"}, "--github-url means nothing with --source pypi"),
        ({"source": "pypi", "token": "x"}, "--token means nothing with --source pypi"),
        ({"source": "pypi", "remove_archive": True}, "--remove-archive means nothing with --source pypi"),
        ({"source": "pypi", "cleanup": True}, "--cleanup means nothing with --source pypi"),
        ({"source": "pypi", "overwrite": True}, "only together with --download-only"),
        ({"source": "pypi", "destination": "/x"}, "only together with --download-only"),
        ({"source": "pypi", "project": "other"}, "needs --repository OWNER/NAME"),
        ({"source": "pypi", "project": "-"}, "is no name of a distribution"),
        ({"source": "pypi", "project": ""}, "is no name of a distribution"),
        ({"source": "pypi", "index_url": "http://x.org/simple/"}, "http is taken on the loopback only"),
        ({"source": "pypi", "index_url": "https://u:p@x.org/simple/"}, "carries a user or a password"),
        ({"source": "test-pypi", "extra_index_url": "https://test.pypi.org/simple"}, "is where dependencies come from"),
        ({"repository": "Hephaestus"}, "OWNER/NAME"),
        ({"repository": "o/r/x"}, "OWNER/NAME"),
        ({"repository": "../r"}, "OWNER/NAME"),
        ({"github_url": "ftp://x"}, "--github-url"),
        ({"token": "  "}, "--token is blank"),
        ({"timeout": 0.0}, "less than 0.1"),
        ({"max_retries": 0}, "less than 1"),
        ({"tag": " "}, "--tag is empty"),
        ({"tag_prefix": "core"}, "--tag-prefix is 'core'"),
        ({"tag_prefix": "core-", "tag": "core-v1"}, "--tag and --tag-prefix contradict each other"),
        ({"asset_pattern": " "}, "--asset-pattern is empty"),
        ({"python": " "}, "--python is empty"),
        ({"workflow": "*.yml"}, "names no single one"),
        ({"sigstore_identity": ("*",)}, "names no single one"),
        ({"sigstore_identity": (WIDE,)}, "names no single one"),
        ({"sigstore_identity": (f"{BASE}@refs/heads/*",)}, "names no single one"),
        ({"sigstore_identity": ("someone@example.org",)}, "names no single one"),
        ({"trusted_root": Path("/no/such/file")}, "is no file"),
        ({"pip_args": ("--index-url=https://x.org",)}, "is not handed on"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_up_front(given: dict[str, Any], said: str) -> None:
    """Each option that would be ignored, contradicts another or cannot be understood is named."""
    with pytest.raises(OptionsRefused) as caught:
        read(**given)
    assert said in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    """Three mistakes, one message."""
    with pytest.raises(OptionsRefused) as caught:
        read(source="pypi", timeout=0.0, max_retries=0, asset_pattern="x")
    assert len(caught.value.problems) == 3


def test_the_tag_takes_its_place_in_an_identity_and_nothing_else_does() -> None:
    """``@refs/tags/*`` becomes the release's own tag; any other pattern is refused by the identity itself."""
    options = read(sigstore_identity=(f"{BASE}@refs/tags/*", f"{BASE}@refs/heads/main"))
    assert [one.subject for one in options.identities("v1")] == [f"{BASE}@refs/tags/v1", f"{BASE}@refs/heads/main"]
    assert read().identities("v1")[0].subject.endswith("/.github/workflows/publish-pypi.yml@refs/tags/v1")
    with pytest.raises(IdentityRefused):
        read().identities("v1 or any other")


@pytest.mark.parametrize(
    "words",
    [
        ["--user"], ["--target", "/x"], ["--target=/x"], ["-t", "/x"], ["--prefix=/x", "--no-deps"], ["-q", "-v"],
        ["--break-system-packages"], ["--proxy=http://x"], [],
    ],
)  # fmt: skip
def test_arguments_about_where_and_how_files_are_put_are_handed_on(words: list[str]) -> None:
    """Nothing to be said against these."""
    assert list(unfit_pip_arguments(words)) == []


@pytest.mark.parametrize(
    "words",
    [
        ["--index-url", "https://x"], ["-i", "https://x"], ["--extra-index-url=https://x"], ["--find-links=/x"],
        ["-f/x"],
        ["--no-binary=:all:"], ["--trusted-host=x"], ["evil"], ["-r", "x.txt"], ["-rx.txt"], ["-e", "."], ["--pre"],
        ["--index", "https://x"], ["--extra-i=https://x"], ["--require-hashes"], ["--report=/x"], ["--python=/x"],
        ["--target"], ["--target", "--user"], ["--user", "evil==1"], ["-c", "x"], ["--config-settings=x"], ["-qi", "x"],
        ["--no-ind"], ["git+https://x"], ["--tar=/x"], ["-t=/x"],
    ],
)  # fmt: skip
def test_arguments_that_let_in_what_was_not_verified_are_not(words: list[str]) -> None:
    """Indexes, links, requirements, switches of the hash check, abbreviations of any of them."""
    assert list(unfit_pip_arguments(words))


@given(st.lists(st.text(min_size=1, max_size=12)))
def test_no_word_is_a_requirement(words: list[str]) -> None:
    """Whatever is given: a word that no option takes as its value is never handed on."""
    if any(not word.startswith("-") for word in words[:1]):
        assert list(unfit_pip_arguments(words))
