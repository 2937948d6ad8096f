"""sign: a Sigstore bundle for every file, a PEP 740 attestation for every distribution - all of them or none.

Log entries are for ever, so nothing that an index would refuse is signed. What is made is verified at once, under
the identity the world expects. One module serves two sessions: the distributions, and the wheelhouse.
"""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.versions import bump_command
from hephaestus.stages.adoption import ADOPTED, adopted_assets, adopted_attestations, begun_before
from hephaestus.stages.proofs import distributions, outputs_of, unproven
from hephaestus.stages.rules import index_findings
from hephaestus.stages.sealing import sealed
from hephaestus.stages.sign_answers import IdentityMissingError, expired, explained
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.verification import Proof, attestation_of, bundle_of, refusals, verify
from hephaestus.stages.wheelhouse_contents import contents_findings
from hephaestus.toolchain.process import Completed
from hephaestus.worlds.world import ChildKind

__all__ = [
    "AdoptedWheelhouseError",
    "SealedSignaturesError",
    "SignDistributions",
    "SignWheelhouse",
    "SignedWronglyError",
]

_SIGN_SECONDS = 600.0


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

    def __init__(self, *, stage: str, version: str, missing: list[str], where: list[str]) -> None:
        super().__init__(
            what=f"{stage}: {len(missing)} signatures are missing, and this version is on {', '.join(where)} already",
            why="an index takes attestations only with the upload; new ones would not be those it serves",
            details=missing,
            next_step="restore the files from the artifact of the run that signed, or release a new version: "
            f"`{bump_command(version)}`",
        )


def _bundle_path(subject: str) -> str:
    return bundle_of(Path(subject).name)


class AdoptedWheelhouseError(ReleaseError):
    """Raised when the wheelhouse of an earlier run has no bundle of ours that holds."""

    def __init__(self, *, tag: str, missing: list[str]) -> None:
        super().__init__(
            what=f"sign-wheelhouse: the GitHub Release {tag} holds a wheelhouse without signatures of ours that verify",
            why="an earlier run has made it; what this run did not make it does not sign",
            details=missing,
            next_step=f"look at the release {tag}: who has put these files there? If it is a draft, delete it by hand, "
            "then `nox -s wheelhouse -- --redo`",
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

    def sealed_files(self, context: Context) -> dict[str, list[str]]:
        """What is signed here and on an index already, by file name: its attestation can no longer be replaced."""
        del context
        return {}

    def refusal(
        self, context: Context, missing: Mapping[str, str], sealing: Mapping[str, list[str]]
    ) -> ReleaseError | None:
        """Why the ``missing`` proofs (release-directory path to subject) cannot be made any more, or None."""
        lost = [
            path for path, subject in missing.items() if path != _bundle_path(subject) and Path(subject).name in sealing
        ]
        where = sorted({index for path in lost for index in sealing[Path(missing[path]).name]})
        if not lost:
            return None
        return SealedSignaturesError(stage=self.name, version=context.project.version, missing=lost, where=where)

    def inputs(self, context: Context) -> Inputs:
        """The files, and who must have signed them."""
        publisher = context.world.publisher
        return Inputs(files=self.subjects(context), settings={"subject": publisher.subject, "issuer": publisher.issuer})

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Sign what has no proof that holds yet into a fresh folder, verify all, hand over only when complete.

        Proofs that are there already, here or in public, and verify are kept: log entries are for ever, and the
        attestations of a file that is on an index cannot be replaced.
        """
        names = {bundle_of(Path(path).name): path for path in self.subjects(context)}
        names |= {attestation_of(Path(path).name): path for path in self.attested(context)}
        sealing = self.sealed_files(context)
        results, held = self._held(context, names, sealing)
        missing = {path: subject for path, subject in names.items() if path not in held}
        if refusal := self.refusal(context, missing, sealing):
            raise refusal
        for path, proof in held.items():
            shutil.copyfile(proof, staging.path(path))
        if missing:
            self._sign(
                context, staging, [subject for path, subject in missing.items() if path == _bundle_path(subject)]
            )
            self._attest(
                context, staging, [subject for path, subject in missing.items() if path != _bundle_path(subject)]
            )
            made = self._verified(context, {path: staging.path(path) for path in missing}, names)
            results = [*results, *made.values()]
        if wrong := refusals(results, subject=context.world.publisher.subject):
            raise SignedWronglyError(stage=self.name, findings=wrong, subject=context.world.publisher.subject)
        return Evidence(
            data={
                "state": "signed" if missing else "kept",
                "identity": context.world.publisher.subject,
                "issuer": context.world.publisher.issuer,
                "assumed": context.world.publisher.assumed,
                "signatures": [
                    {"proof": result["proof"], "file": result["file"], "log_index": result["log_index"]}
                    for result in results
                ],
            }
        )

    def _held(
        self, context: Context, names: Mapping[str, str], sealing: Mapping[str, object]
    ) -> tuple[list[dict[str, Any]], dict[str, Path]]:
        """The proofs that need not be made: their results, and where each is now, here or fetched from the public.

        ``--redo`` sets them aside as long as nothing is sealed.
        """
        if context.options.forces(self.name) and not sealing:
            return [], {}
        here = {path: context.directory.path / path for path in names if (context.directory.path / path).is_file()}
        results, held = self._holding(context, here, names)
        away = {path: subject for path, subject in names.items() if path not in held}
        if away and (public := self._public(context, away, sealing)):
            context.narrator.step(f"{len(public)} of {len(names)} signatures are public already: taken over")
            more, taken = self._holding(context, public, names)
            results, held = [*results, *more], {**held, **taken}
        return results, held

    def _holding(
        self, context: Context, proofs: Mapping[str, Path], names: Mapping[str, str]
    ) -> tuple[list[dict[str, Any]], dict[str, Path]]:
        results = self._verified(context, proofs, names) if proofs else {}
        good = {path: proof for path, proof in proofs.items() if results[path]["ok"]}
        return [results[path] for path in good], good

    def _public(self, context: Context, away: Mapping[str, str], sealing: Mapping[str, object]) -> dict[str, Path]:
        fetched = context.work / "public"
        bundles = {Path(path).name: path for path, subject in away.items() if path == _bundle_path(subject)}
        attested = {Path(subject).name: path for path, subject in away.items() if path != _bundle_path(subject)}
        found = {}
        if sealing or begun_before(context):  # before anything is public, nothing can have been released
            found = {bundles[name]: file for name, file in adopted_assets(context, bundles, fetched).items()}
        if wanted := set(attested) & set(sealing):
            served = adopted_attestations(context, wanted, fetched)
            found |= {attested[name]: file for name, file in served.items()}
        return found

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
        if not subjects:
            return
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
        if not done.ok and expired(done.output):
            context.narrator.step("the identity expired meanwhile; once more with a fresh one")
            done = attempt()
        if not done.ok:
            raise self._explain(done.output, done.code, "sigstore sign")
        for path in subjects:
            name = Path(path).name
            made = fresh / f"{name}.sigstore.json"
            if not made.is_file():
                raise self._explain(f"sigstore made no bundle for {name}", done.code, "sigstore sign")
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
        if expired(str(answer["error"])):
            context.narrator.step("the identity expired meanwhile; once more with a fresh one")
            answer = attempt()
        if answer["error"]:
            raise self._explain(str(answer["error"]), 1, "the attest worker")
        for path in attested:
            name = Path(path).name
            shutil.copyfile(fresh / f"{name}.publish.attestation", staging.path(attestation_of(name)))

    def _verified(
        self, context: Context, proofs: Mapping[str, Path], names: Mapping[str, str]
    ) -> dict[str, dict[str, Any]]:
        """The result for each of ``proofs``: release-directory path to where that proof is now."""
        context.narrator.step(f"verifying {len(proofs)} signatures under {context.world.publisher.subject}")
        # The worker answers for bundles first.
        paths = sorted(proofs, key=lambda path: path != _bundle_path(names[path]))
        results = verify(
            context,
            [
                Proof(
                    file=context.directory.path / names[path],
                    proof=proofs[path],
                    kind="bundle" if path == _bundle_path(names[path]) else "attestation",
                )
                for path in paths
            ],
        )
        return dict(zip(paths, results, strict=True))

    def _explain(self, output: str, code: int, command: str) -> ReleaseError:
        return explained(output, stage=self.name, code=code, command=command, retry=self.retry)


#: What an ambient identity shows itself by: GitHub Actions, GitLab CI (facts: sigstore, section 2).
_AMBIENT = (
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"),
    ("GITLAB_CI", "SIGSTORE_ID_TOKEN"),
)


class SignDistributions(_Sign):
    """sign: every distribution and SHA256SUMS."""

    name = "sign"

    def subjects(self, context: Context) -> dict[str, str]:
        """What build put out: the distributions and SHA256SUMS."""
        return outputs_of(context, "build")

    def attested(self, context: Context) -> list[str]:
        """Every distribution: they cannot be attested after the upload."""
        return list(distributions(context))

    def sealed_files(self, context: Context) -> dict[str, list[str]]:
        """Every file of this version that an index of this world has, with the indexes that have it."""
        found: dict[str, list[str]] = {}
        for index, files in sealed(context).items():
            for name in files:
                found.setdefault(name, []).append(index)
        return found

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

    def refusal(
        self, context: Context, missing: Mapping[str, str], sealing: Mapping[str, list[str]]
    ) -> ReleaseError | None:
        """A wheelhouse that was taken over is another run's work: it is held against its bundle, never signed here."""
        del sealing
        made = context.directory.receipt("wheelhouse")
        adopted = made is not None and made.evidence.get("state") == ADOPTED
        return AdoptedWheelhouseError(tag=context.project.tag, missing=sorted(missing)) if missing and adopted else None

    def gates(self, context: Context) -> list[Finding]:
        """The wheelhouse as it was made, of the distributions as built: they are what is in it."""
        return unproven(context, ["build", "wheelhouse"]) or contents_findings(context)
