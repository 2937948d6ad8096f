"""The front door for noxfiles: ``release_sessions()`` registers the whole chain. The only package that imports nox.

::

    from hephaestus.nox import release_sessions

    release_sessions()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nox

    from hephaestus.stages.stage import Stage

__all__ = ["release_sessions"]

#: Session, its module and class, and its lines for ``nox -l`` and ``nox --usage``.
_CHAIN: tuple[tuple[str, str, str], ...] = (
    ("build", "build:BuildStage", "Build sdist and wheel from a clean export of the commit, twice, and compare."),
    ("sign", "sign:SignDistributions", "Sign every distribution (Sigstore, PEP 740) and verify at once."),
    ("check", "check:CheckStage", "Predict what an index would refuse; hold contents against the commit."),
    ("upload-testpypi", "upload:UploadTestPyPI", "Upload what Test PyPI lacks; confirm by SHA-256."),
    ("smoke", "smoke:SmokeStage", "Install what Test PyPI serves; import it, run it."),
    ("upload-pypi", "upload:UploadPyPI", "Upload the same bytes to PyPI; confirm by SHA-256."),
    ("wheelhouse", "wheelhouse:WheelhouseStage", "Pack every wheel needed; prove an offline install."),
    ("sign-wheelhouse", "sign:SignWheelhouse", "Sign the wheelhouse and its SBOM; verify at once."),
    (
        "github-release",
        "github_release:GitHubReleaseStage",
        "Draft, attach every asset, read it back; publish last.",
    ),
    ("verify", "verify:VerifyStage", "Compare what PyPI, Test PyPI and GitHub serve with the manifest."),
)


def release_sessions(*, prefix: str = "", tags: tuple[str, ...] = ("release",)) -> None:
    """Register the sessions of the chain: build ... verify, ``release``, which requires them all, and ``bump``.

    Call it once, in the noxfile (registration by import breaks under ``uv run noxfile.py``: facts, nox 7).
    ``prefix`` is put before every session's name; ``tags`` select them with ``nox -t``. Settings are read from
    ``[tool.hephaestus.release]`` when a session runs. Touches no nox option. Raises ValueError when a session of
    one of the names is registered already.

    Public API: changes need docs/stages.md and the CHANGELOG.
    """
    import nox
    from nox.registry import get as registered

    from hephaestus.release.chain import REQUIRES

    names = [f"{prefix}{name}" for name, *_ in _CHAIN] + [f"{prefix}release", f"{prefix}bump"]
    if clashes := sorted(set(names) & set(registered())):
        msg = f"sessions {', '.join(clashes)} exist already: call release_sessions(prefix='release-') instead"
        raise ValueError(msg)
    for name, where, line in _CHAIN:
        register = nox.session(
            name=f"{prefix}{name}",
            requires=[f"{prefix}{other}" for other in REQUIRES[name]],
            venv_backend="uv|virtualenv",
            reuse_venv=True,
            default=False,
            tags=list(tags),
        )
        register(_body(where, line))
    register = nox.session(name=f"{prefix}release", requires=names[:-2], python=False, default=False, tags=list(tags))
    register(_summary())
    # Without the tags: `nox -t release` must never make a version.
    nox.session(name=f"{prefix}bump", python=False, default=False)(_bump())


def _body(where: str, line: str) -> Callable[[nox.Session], None]:
    def body(session: nox.Session) -> None:
        from hephaestus.nox.session import run

        run(session, lambda: _stage(where))

    body.__doc__ = (
        f"{line}\n\nRehearses against local stand-ins unless `-- --publish` is given. `-- --help` lists the options."
    )
    return body


def _summary() -> Callable[[nox.Session], None]:
    def body(session: nox.Session) -> None:
        from hephaestus.nox.session import finish

        finish(session)

    body.__doc__ = "The whole chain; a summary at the end. A rerun goes on where the last run stopped."
    return body


def _bump() -> Callable[[nox.Session], None]:
    def body(session: nox.Session) -> None:
        from hephaestus.nox.bump import run

        run(session)

    body.__doc__ = (
        "Write the next version everywhere, commit and tag it: `-- minor`, `-- rc`, `-- 1.2.3`.\n\n"
        "Not pushed unless `-- --push` is given. `-- --help` lists the options."
    )
    return body


def _stage(where: str) -> Stage:
    from importlib import import_module

    module, _, name = where.partition(":")
    stage: Stage = getattr(import_module(f"hephaestus.stages.{module}"), name)()
    return stage
