"""sign: a Sigstore bundle for every file, a PEP 740 attestation for every distribution - all of them or none.

Log entries are for ever, so nothing that an index would refuse is signed. What is made is verified at once, under
the identity the world expects. One module serves two sessions: the distributions, and the wheelhouse.
"""

from __future__ import annotations

import re
import shutil
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError, StageFailed
from hephaestus.stages.proofs import distributions, outputs_of, unproven
from hephaestus.stages.rules import index_findings
from hephaestus.stages.sealing import sealed
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.verification import Proof, attestation_of, bundle_of, refusals, verify
from hephaestus.toolchain.process import Completed
from hephaestus.worlds.world import ChildKind

__all__ = ["IdentityMissingError", "SignDistributions", "SignWheelhouse", "SignedWronglyError", "SigningServiceError"]

_SIGN_SECONDS = 600.0


class IdentityMissingError(ReleaseError):
    """Raised when the signer has no ambient identity; it would otherwise ask a person, who is not there."""

    def __init__(self, *, stage: str) -> None:
        super().__init__(
            what=f"{stage}: there is no identity to sign with",
            why="signing takes the identity of a CI job (OIDC); it is never asked for interactively",
            next_step="in the workflow, give this job `permissions: id-token: write`, then re-run the failed jobs",
        )


class SigningServiceError(ReleaseError):
    """Raised when Sigstore did not answer as it should; nothing of this attempt is kept."""

    def __init__(self, *, stage: str, service: str, output: str) -> None:
        super().__init__(
            what=f"{stage}: {service} failed; no signature of this attempt is kept",
            why="Sigstore's public services have outages of minutes; signing is a stage of its own for that reason",
            details=_said(output),
            next_step=f"`nox -s {stage}` again in a few minutes; nothing has been uploaded",
        )


class SignedWronglyError(ReleaseError):
    """Raised when what was just signed does not verify under the expected identity."""

    def __init__(self, *, stage: str, findings: list[Finding], subject: str) -> None:
        super().__init__(
            what=f"{stage}: what was signed does not verify under {subject}",
            why="indexes and installers compare exactly this identity; uploading would be refused or worthless",
            details=[finding.line() for finding in findings],
            next_step="compare repository, workflow and tag of this run with `[tool.hephaestus.release]`",
        )


class SealedSignaturesError(ReleaseError):
    """Raised when signatures are missing after the release is on an index: new ones would not belong to it."""

    def __init__(self, *, stage: str, missing: list[str], where: list[str]) -> None:
        super().__init__(
            what=f"{stage}: {len(missing)} signatures are missing, and this version is on {', '.join(where)} already",
            why="an index takes attestations only with the upload; new ones would not be those it serves",
            details=missing,
            next_step="restore the files from the artifact of the run that signed, or release a new version",
        )


class _Sign(Stage):
    lock = "sign"

    @abstractmethod
    def subjects(self, context: Context) -> dict[str, str]:
        """The files to sign: release-directory paths to digests."""

    def attested(self, context: Context) -> list[str]:
        """Which of them get a PEP 740 attestation too."""
        del context
        return []

    def sealed_where(self, context: Context) -> list[str]:
        """The indexes that already serve what is signed here: its signatures can no longer be replaced."""
        del context
        return []

    def inputs(self, context: Context) -> Inputs:
        """The files, and who must have signed them."""
        publisher = context.world.publisher
        return Inputs(files=self.subjects(context), settings={"subject": publisher.subject, "issuer": publisher.issuer})

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Sign into a fresh folder, verify, hand over only when complete.

        Signatures that are already there and verify are kept: log entries are for ever, and those of a release
        that is on an index cannot be replaced.
        """
        subjects = list(self.subjects(context))
        attested = self.attested(context)
        names = {bundle_of(Path(path).name): path for path in subjects}
        names |= {attestation_of(Path(path).name): path for path in attested}
        where = self.sealed_where(context)
        kept = self._kept(context, names, where)
        if kept is None:
            self._sign(context, staging, subjects)
            self._attest(context, staging, attested)
            results = self._verified(context, names, staging.path)
        else:
            results = kept
            for path in names:
                shutil.copyfile(context.directory.path / path, staging.path(path))
        if wrong := refusals(results, subject=context.world.publisher.subject):
            raise SignedWronglyError(stage=self.name, findings=wrong, subject=context.world.publisher.subject)
        return Evidence(
            data={
                "state": "signed" if kept is None else "kept",
                "identity": context.world.publisher.subject,
                "issuer": context.world.publisher.issuer,
                "assumed": context.world.publisher.assumed,
                "signatures": [
                    {"proof": result["proof"], "file": result["file"], "log_index": result["log_index"]}
                    for result in results
                ],
            }
        )

    def _signer(self, context: Context) -> dict[str, str]:
        """The environment of a signing child; raises IdentityMissingError before any tool could ask a person.

        The client falls back to a browser when it finds no ambient identity; on a desk it would wait there.
        """
        environment = context.world.children[ChildKind.SIGNER]
        if not any(all(environment.get(name) for name in names) for names in _AMBIENT):
            raise IdentityMissingError(stage=self.name)
        # The client wraps its messages to the terminal's width, which would tear them apart.
        return {**environment, "COLUMNS": "1000"}

    def _sign(self, context: Context, staging: Staging, subjects: list[str]) -> None:
        fresh = context.work / "bundles"
        files = [str(context.directory.path / path) for path in subjects]
        context.narrator.step(f"signing {len(files)} files")
        command = [
            "python",
            "-m",
            "sigstore",
            *context.world.sigstore.options,
            "sign",
            "--output-directory",
            str(fresh),
            *files,
        ]

        def attempt() -> Completed:
            shutil.rmtree(fresh, ignore_errors=True)
            return context.environment.run(command, env=self._signer(context), timeout=_SIGN_SECONDS)

        done = attempt()
        if not done.ok and _EXPIRED.search(done.output):
            context.narrator.step("the identity expired meanwhile; once more with a fresh one")
            done = attempt()
        if not done.ok:
            raise self._explain(done.output, code=done.code, command="sigstore sign")
        for path in subjects:
            name = Path(path).name
            made = fresh / f"{name}.sigstore.json"
            if not made.is_file():
                raise self._explain(f"sigstore made no bundle for {name}", code=done.code, command="sigstore sign")
            shutil.copyfile(made, staging.path(bundle_of(name)))

    def _attest(self, context: Context, staging: Staging, attested: list[str]) -> None:
        if not attested:
            return
        fresh = context.work / "attestations"
        trust = context.world.sigstore.trust_config
        request = {
            "files": [str(context.directory.path / path) for path in attested],
            "output": str(fresh),
            "trust_config": str(trust) if trust is not None else None,
        }

        def attempt() -> dict[str, Any]:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            return context.environment.work("attest", request, env=self._signer(context), timeout=_SIGN_SECONDS)

        answer = attempt()
        if _EXPIRED.search(str(answer["error"])):
            context.narrator.step("the identity expired meanwhile; once more with a fresh one")
            answer = attempt()
        if answer["error"]:
            raise self._explain(str(answer["error"]), code=1, command="the attest worker")
        for path in attested:
            name = Path(path).name
            shutil.copyfile(fresh / f"{name}.publish.attestation", staging.path(attestation_of(name)))

    def _verified(
        self, context: Context, names: Mapping[str, str], place: Callable[[str], Path]
    ) -> list[dict[str, Any]]:
        context.narrator.step(f"verifying {len(names)} signatures under {context.world.publisher.subject}")
        return verify(
            context,
            [
                Proof(
                    file=context.directory.path / subject,
                    proof=place(path),
                    kind="bundle" if path.endswith(".sigstore.json") else "attestation",
                )
                for path, subject in names.items()
            ],
        )

    def _kept(self, context: Context, names: Mapping[str, str], where: list[str]) -> list[dict[str, Any]] | None:
        """The results for signatures that are there already and all hold; None when they are to be made.

        Raises SealedSignaturesError when they are to be made but the release is on an index.
        """
        here = context.directory.path
        missing = [path for path in names if not (here / path).is_file()]
        forced = context.options.forces(self.name) and not where
        results = [] if missing or forced else self._verified(context, names, lambda path: here / path)
        if results and all(result["ok"] for result in results):
            return results
        if where:
            broken = missing or [str(result["proof"]) for result in results if not result["ok"]]
            raise SealedSignaturesError(stage=self.name, missing=broken, where=where)
        return None

    def _explain(self, output: str, *, code: int, command: str) -> ReleaseError:
        """One sentence for what sigstore ends with, tracebacks included (facts: sigstore, sections 1 and 2)."""
        if re.search(r"EOFError|no ambient identity|ACTIONS_ID_TOKEN|OIDC token request failed \(code=40[13]", output):
            return IdentityMissingError(stage=self.name)
        for service, pattern in _SERVICES.items():
            if re.search(pattern, "\n".join(_said(output))):
                return SigningServiceError(stage=self.name, service=service, output=output)
        return StageFailed(stage=self.name, command=command, code=code, output=output, next_step=f"`{self.retry}`")


def _said(output: str) -> list[str]:
    """What the client says in the end: without certificates, and without the tracebacks it says it with."""
    said: list[str] = []
    inside = False
    for line in output.splitlines():
        inside = (inside and line.startswith(" ")) or line.startswith("Traceback ")
        text = " ".join(line.split())
        if text and not inside and not _NOISE.match(text):
            said.append(text)
    errors = [number for number, text in enumerate(said) if _ERROR.match(text)]
    return said[errors[-1] :][:4] if errors else said[-4:]


#: A log line of the client (its text may follow on the next lines), or the last line of a traceback.
_ERROR = re.compile(r"(?:\[[\d:]+\] )?ERROR\b|[A-Za-z_][\w.]*(?:Error|Exception|Expired\w+)(?::|\Z)")
_NOISE = re.compile(
    r"For detailed error information|(?:The above exception|During handling of the above)|Additional context"
)

#: What an ambient identity shows itself by: GitHub Actions, GitLab CI (facts: sigstore, section 2).
_AMBIENT = (
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"),
    ("GITLAB_CI", "SIGSTORE_ID_TOKEN"),
)

#: Tokens live for minutes, and one token serves all files: a fresh one is asked for, once.
_EXPIRED = re.compile(r"Expired(?:Identity|Certificate)|has expired|Identity token is (?:malformed|not within)")

#: What the client prints when one of Sigstore's services fails (sigstore 4.5.1).
_SERVICES = {
    "the identity provider (OIDC)": r"OIDC token|Identity ?token|IdentityError|audience claim|malformed or incomplete",
    "the transparency log (Rekor)": r"(?i)rekor|transparency log|tlog",
    "the certificate authority (Fulcio)": r"(?i)fulcio|signing certificate",
    "the timestamp authority": r"(?i)timestamp(?!.*extension)",
    "a Sigstore service": r"Connection(Error| refused)|ReadTimeout|Max retries exceeded",
}


class SignDistributions(_Sign):
    """sign: every distribution and SHA256SUMS."""

    name = "sign"

    def subjects(self, context: Context) -> dict[str, str]:
        """What build put out: the distributions and SHA256SUMS."""
        return outputs_of(context, "build")

    def attested(self, context: Context) -> list[str]:
        """Every distribution: they cannot be attested after the upload."""
        return list(distributions(context))

    def sealed_where(self, context: Context) -> list[str]:
        """Every index of this world with a file of this version."""
        return sorted(name for name, files in sealed(context).items() if files)

    def gates(self, context: Context) -> list[Finding]:
        """Digests as built; nothing an index would refuse."""
        return unproven(context, ["build"]) or index_findings(context)


class SignWheelhouse(_Sign):
    """sign-wheelhouse: every wheelhouse archive and the SBOM."""

    name = "sign-wheelhouse"

    def subjects(self, context: Context) -> dict[str, str]:
        """The archives and the SBOM; the ``.sha256`` files are covered by the archives' own bundles."""
        made = outputs_of(context, "wheelhouse")
        return {path: digest for path, digest in made.items() if not path.endswith(".sha256")}

    def gates(self, context: Context) -> list[Finding]:
        """The wheelhouse as it was made, of the distributions as built."""
        return unproven(context, ["build", "wheelhouse"])
