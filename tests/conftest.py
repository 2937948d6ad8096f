"""What holds for every test: nothing of the caller's environment decides it, Hypothesis measures no time, and the
same code is judged by the same examples.

A busy machine is no defect, nor is a narrow terminal, a CI's variable or a person's git configuration, and what lands
a change must not depend on luck. `--hypothesis-profile=explore` looks for new examples, ten times as many.
"""

from __future__ import annotations

import os

import hypothesis

#: Beginnings of variables that change what git, nox, twine, rich or the suite itself does; a test sets those it is
#: about. Where packages come from (PIP_, UV_, proxies) is the machine's and stays.
_DECIDING = (
    "ACTIONS_", "CI", "CLICOLOR", "COLUMNS", "FORCE_COLOR", "GH_", "GITHUB_", "GITLAB_", "GIT_", "HEPHAESTUS_",
    "LINES", "NOX", "NO_COLOR", "PY_COLORS", "PYPI_", "RUNNER_", "SIGSTORE_", "SOURCE_DATE_EPOCH", "TESTPYPI_",
    "TTY_", "TWINE_", "UV_PUBLISH_",
)  # fmt: skip
#: What the tests themselves are told: caches, how thorough to be, and the smoke test of the real Test PyPI.
_TOLD = (
    "HEPHAESTUS_CACHE", "HEPHAESTUS_EVERY_BOUNDARY", "HEPHAESTUS_NODE_CACHE", "HEPHAESTUS_TESTPYPI_ARGUMENTS",
    "HEPHAESTUS_TESTPYPI_SMOKE", "HEPHAESTUS_TESTPYPI_VERSION",
)  # fmt: skip


def _undecided(environ: dict[str, str]) -> dict[str, str]:
    """The environment the tests run in: the caller's without what decides, a usual terminal, no configuration of git,
    and no proxy between us and our own servers."""
    kept = {name: value for name, value in environ.items() if name in _TOLD or not name.startswith(_DECIDING)}
    direct = [*filter(None, (kept.get("NO_PROXY"), kept.get("no_proxy"))), "127.0.0.1", "localhost"]
    return kept | {
        "COLUMNS": "80",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(dict.fromkeys(",".join(direct).split(",")))),
    }


_environ = _undecided(dict(os.environ))
os.environ.clear()
os.environ.update(_environ)

_UNTIMED = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])

hypothesis.settings.register_profile("hephaestus", _UNTIMED, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", _UNTIMED, max_examples=1000)
hypothesis.settings.load_profile("hephaestus")
