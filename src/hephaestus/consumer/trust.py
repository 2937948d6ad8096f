"""Trust: which signatures hold, by real cryptography, wherever the libraries for it are or can be had.

With the extra ``verify`` the check runs in this process; without it in the hash-locked environment of the suite, made
once in the cache; with neither that nor a network nothing is verified, and the error says which command helps.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import Any, Literal

from hephaestus import DISTRIBUTION_NAME
from hephaestus.consumer.identity import Identity
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.release.errors import ReleaseError
from hephaestus.toolchain.environment import LockedEnvironment, WorkerError
from hephaestus.toolchain.locks import read_lock
from hephaestus.toolchain.process import ToolHangsError, ToolMissingError
from hephaestus.toolchain.virtualenvs import (
    EnvironmentNotMadeError,
    cache_folder,
    cached_environment,
    made_environment,
)
from hephaestus.worlds.children import installer, isolated

__all__ = ["Claim", "Trust", "TrustRootError", "VerificationUnavailable", "install_command", "judged", "worker_request"]

#: What the extra ``verify`` asks for; another version's programming interface may be another one.
EXTRA = {"sigstore": ">=4.2,<5", "pypi-attestations": ">=0.0.27"}

_MODULES = ("sigstore", "pypi_attestations")
_SECONDS = 300.0


class VerificationUnavailable(ReleaseError):
    """Raised when signatures cannot be verified here: no library, no environment, no network. Nothing was verified."""

    def __init__(self, *, reason: str, details: Sequence[str] = (), remedy: str = "") -> None:
        super().__init__(
            what=f"signatures cannot be verified: {reason}",
            why="a signature that nobody verified proves nothing, so nothing here counts as verified",
            details=details,
            next_step=f"{remedy or install_command(Path(sys.prefix))}; then run the same command again",
        )


class TrustRootError(ReleaseError):
    """Raised when there is no trust root to verify against: a file that is none, or Sigstore's own out of reach."""

    def __init__(self, *, trusted_root: Path | None, problem: str) -> None:
        super().__init__(
            what=f"{trusted_root} is no trust root: {problem}"
            if trusted_root is not None
            else f"Sigstore's trust root cannot be had: {problem}",
            why="signatures are verified against the keys of the trust root; without them nothing was verified",
            next_step="give `--trusted-root` a trusted_root.json or a client trust configuration"
            if trusted_root is not None
            else "check the network, or give `--trusted-root` a trusted_root.json that you trust",
        )


@dataclass(frozen=True, kw_only=True)
class Claim:
    """That ``proof`` proves ``file``. ``name`` is the published file's, which an attestation must be about.

    ``sha256`` (hex) is for callers that have hashed the very file themselves, in a place only they can write to.
    """

    file: Path
    kind: Literal["bundle", "attestation"]
    proof: Path
    name: str = ""
    sha256: str = ""

    @property
    def subject(self) -> str:
        """What the verdict is about."""
        return f"{self.kind} of {self.name or self.file.name}"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How signatures are verified.

    ``trusted_root`` is a trusted root or a client trust configuration; None means Sigstore's production instance:
    its root through TUF, or ``offline`` the one that came with the library. ``offline`` makes no connection at all.
    ``environ`` says where cache and packages are; ``announce`` is told before something takes long.
    """

    trusted_root: Path | None = None
    offline: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    announce: Callable[[str], None] = lambda _text: None

    def prepare(self) -> None:
        """See that signatures can be verified here, before anything costly; raises VerificationUnavailable."""
        if not _importable():
            self._python(cache_folder(self.environ))

    def verify(self, identity: Identity, claims: Sequence[Claim]) -> tuple[Verdict, ...]:
        """Verify every claim under ``identity``: one verdict each, in order.

        Raises VerificationUnavailable and TrustRootError: then nothing was verified.
        """
        there = [claim for claim in claims if claim.proof.is_file() and claim.file.is_file()]
        request = worker_request(
            there,
            subject=identity.subject,
            issuer=identity.issuer,
            repository=identity.repository,
            trusted_root=self.trusted_root,
            offline=self.offline,
        )
        answer: dict[str, Any] = self._answered(request) if there else {"results": [], "error": ""}
        if answer["error"]:
            raise TrustRootError(trusted_root=self.trusted_root, problem=str(answer["error"]))
        return judged(identity, claims, there, answer["results"])

    def _answered(self, request: dict[str, Any]) -> dict[str, Any]:
        if _importable():
            from hephaestus.workers.verify import answer

            with warnings.catch_warnings():
                # The libraries warn of what they find in foreign certificates; the verdict says what counts.
                warnings.simplefilter("ignore")
                return answer(request)
        return self._elsewhere(request)

    def _elsewhere(self, request: dict[str, Any]) -> dict[str, Any]:
        """The same worker under the verification environment's Python, with a home of its own for TUF."""
        cache = cache_folder(self.environ)
        python = self._python(cache)
        try:
            with tempfile.TemporaryDirectory(prefix="hephaestus-verify-") as work:
                environment = LockedEnvironment(provision=lambda: python, work=Path(work))
                home = isolated(self.environ, home=cache / "verification", network=not self.offline)
                return environment.work("verify", request, env=home, timeout=_SECONDS)
        except OSError as error:
            raise VerificationUnavailable(reason=f"{cache} cannot be used ({error})") from error
        except (WorkerError, ToolMissingError, ToolHangsError) as error:
            reason = f"the verification environment is broken: {error.what}"
            remedy = f"remove {python.parent.parent}"
            raise VerificationUnavailable(reason=reason, details=error.details, remedy=remedy) from error

    def _python(self, cache: Path) -> Path:
        lock = read_lock("verify")
        made = made_environment(lock, cache=cache)
        if made is not None:
            return made
        reason = f"the extra `verify` is not installed, and there is no verification environment in {cache}"
        if self.offline:
            raise VerificationUnavailable(reason=f"{reason}; offline, none can be made")
        self.announce("making the verification environment (once)")
        try:
            return cached_environment(lock, env=installer(self.environ), cache=cache)
        except EnvironmentNotMadeError as error:
            raise VerificationUnavailable(reason=f"{reason}; none could be made", details=error.details) from error
        except OSError as error:
            raise VerificationUnavailable(reason=f"{reason}; none could be made ({error})") from error


def worker_request(
    claims: Iterable[Claim],
    *,
    subject: str,
    issuer: str,
    repository: str,
    trusted_root: Path | None,
    offline: bool = False,
) -> dict[str, Any]:
    """What ``workers/verify.py`` is asked: bundles and attestations apart, each in the order of ``claims``."""
    entries: dict[str, list[dict[str, str]]] = {"bundle": [], "attestation": []}
    for claim in claims:
        entry = {"file": str(claim.file.absolute()), claim.kind: str(claim.proof.absolute())}
        entry |= {"name": claim.name or claim.file.name, "sha256": claim.sha256}
        entries[claim.kind].append(entry)
    return {
        "trust_config": str(trusted_root.absolute()) if trusted_root is not None else None,
        "offline": offline,
        "subject": subject,
        "issuer": issuer,
        "repository": repository,
        "bundles": entries["bundle"],
        "attestations": entries["attestation"],
    }


def judged(
    identity: Identity, claims: Sequence[Claim], there: Sequence[Claim], results: Sequence[Mapping[str, Any]]
) -> tuple[Verdict, ...]:
    """One verdict a claim, from the worker's results for those claims whose files are ``there``."""
    order = [claim for kind in ("bundle", "attestation") for claim in there if claim.kind == kind]
    found = {id(claim): result for claim, result in zip(order, results, strict=True)}
    return tuple(_verdict(identity, claim, found.get(id(claim))) for claim in claims)


def install_command(prefix: Path) -> str:
    """The command that adds the extra ``verify`` to the installation at ``prefix``, however it was installed."""
    wanted = f'"{DISTRIBUTION_NAME}[verify]"'
    if (prefix / "pipx_metadata.json").is_file():
        return f"`pipx install --force {wanted}`"
    if (prefix / "uv-receipt.toml").is_file():
        return f"`uv tool install --force {wanted}`"
    return f"`{sys.executable} -m pip install {wanted}`"


def _verdict(identity: Identity, claim: Claim, result: Mapping[str, Any] | None) -> Verdict:
    if result is None:
        missing = claim.proof if claim.file.is_file() else claim.file
        return Verdict(state=State.ABSENT, subject=claim.subject, reason=f"there is no file {missing.name}")
    if result["ok"]:
        entry = f", log entry {result['log_index']}" if result["log_index"] is not None else ""
        signer = f"{identity.repository} {identity.workflow} at {identity.ref}"
        return Verdict(state=State.PASS, subject=claim.subject, reason=f"signed by {signer}{entry}")
    return Verdict(state=State.FAIL, subject=claim.subject, reason=str(result["reason"]))


def _importable() -> bool:
    """Whether this Python has what the extra asks for."""
    from packaging.specifiers import SpecifierSet

    if not all(util.find_spec(module) for module in _MODULES):
        return False
    try:
        return all(SpecifierSet(wanted).contains(metadata.version(name)) for name, wanted in EXTRA.items())
    except metadata.PackageNotFoundError:
        return False
