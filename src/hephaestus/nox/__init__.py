"""The front door for noxfiles: ``release_sessions()`` registers the whole chain. The only package that imports nox.

::

    from hephaestus.nox import release_sessions

    release_sessions()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nox

__all__ = ["release_sessions"]

#: The lines of the stages' sessions for ``nox -l`` and ``nox --usage``.
_LINES: Mapping[str, str] = {
    "build": "Build sdist and wheel from a clean export of the commit, twice, and compare.",
    "sign": "Sign every distribution (Sigstore, PEP 740) and verify at once.",
    "check": "Predict what an index would refuse; hold contents against the commit.",
    "upload-testpypi": "Upload what Test PyPI lacks; confirm by SHA-256.",
    "smoke": "Install what Test PyPI serves; import it, run it.",
    "upload-pypi": "Upload the same bytes to PyPI; confirm by SHA-256.",
    "wheelhouse": "Pack every wheel needed; prove an offline install.",
    "sign-wheelhouse": "Sign the wheelhouse and its SBOM; verify at once.",
    "github-release": "Draft, attach every asset, read it back; publish last.",
    "verify": "Compare what PyPI, Test PyPI and GitHub serve with the manifest.",
}


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

    names = [f"{prefix}{name}" for name in _LINES] + [f"{prefix}release", f"{prefix}bump"]
    if clashes := sorted(set(names) & set(registered())):
        msg = f"sessions {', '.join(clashes)} exist already: call release_sessions(prefix='release-') instead"
        raise ValueError(msg)
    for name, line in _LINES.items():
        register = nox.session(
            name=f"{prefix}{name}",
            requires=[f"{prefix}{other}" for other in REQUIRES[name]],
            venv_backend="uv|virtualenv",
            reuse_venv=True,
            default=False,
            tags=list(tags),
        )
        register(_body(name, line))
    register = nox.session(name=f"{prefix}release", requires=names[:-2], python=False, default=False, tags=list(tags))
    register(_summary())
    # Without the tags: `nox -t release` must never make a version.
    nox.session(name=f"{prefix}bump", python=False, default=False)(_bump())


def _body(name: str, line: str) -> Callable[[nox.Session], None]:
    def body(session: nox.Session) -> None:
        from hephaestus.nox.session import run
        from hephaestus.stages.catalogue import stage_of

        run(session, lambda: stage_of(name))

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
