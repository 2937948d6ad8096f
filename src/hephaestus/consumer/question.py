"""The question put to ``hephaestus release verify``, understood as a whole before anything is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hephaestus.consumer.dossier import Dossier, bundle_subject
from hephaestus.consumer.expectation import Expectation, Pinned, TargetRefused, read_target, release_of
from hephaestus.consumer.identity import Identity
from hephaestus.consumer.verdict import State, Verdict, holds
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.receipts import ReceiptError

if TYPE_CHECKING:
    from hephaestus.consumer.verification import Verification

__all__ = ["SCHEMA", "Question", "facts", "report", "summary"]

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Question:
    """One version, one folder, files of the same release, or with none of these the GitHub Release of a tag."""

    expectation: Expectation
    pinned: Pinned | None = None
    folder: Path | None = None
    files: tuple[Path, ...] = ()
    bundle: Path | None = None

    @classmethod
    def read(
        cls, targets: Sequence[str], expectation: Expectation, *, bundle: Path | None = None, offline: bool = False
    ) -> Question:
        """Understand the targets; raises TargetRefused."""
        found = [read_target(target) for target in targets]
        pinned = [one for one in found if isinstance(one, Pinned)]
        folders = [one for one in found if isinstance(one, Path) and one.is_dir()]
        files = [one for one in found if isinstance(one, Path) and not one.is_dir()]
        text = " ".join(targets) or expectation.tag
        if len(pinned) > 1 or len(folders) > 1 or sum(map(bool, (pinned, folders, files))) > 1:
            raise TargetRefused(target=text, problem="it is more than one version, one folder, or some files")
        if not found and not expectation.tag:
            raise TargetRefused(target=text, problem="nothing was named")
        for file in files:
            if not file.is_file():
                raise TargetRefused(target=str(file), problem="it is no regular file")
            if bundle_subject(file.name):
                raise TargetRefused(target=str(file), problem="it is a bundle; name the file it is about")
        if bundle is not None and (len(files) != 1 or not bundle.is_file()):
            raise TargetRefused(target=str(bundle), problem="--bundle takes one existing bundle, for one file")
        if offline and not files and not folders:
            raise TargetRefused(target=text, problem="offline, only files and folders can be looked at")
        return cls(
            expectation=expectation,
            pinned=pinned[0] if pinned else None,
            folder=folders[0] if folders else None,
            files=tuple(dict.fromkeys(files)),
            bundle=bundle,
        )

    @property
    def identity(self) -> Identity:
        """Who must have signed; raises ExpectationUnclear, IdentityRefused, and TargetRefused."""
        if self.pinned is not None:
            return self.expectation.identity([self.pinned])
        names: list[str] = [file.name for file in self.files]
        if self.folder is not None:
            with self._readable():
                names += Dossier.of_folder(self.folder).subjects
        return self.expectation.identity({release for name in names if (release := release_of(name)) is not None})

    @property
    def text(self) -> str:
        """What is verified, in words."""
        if self.pinned is not None:
            return self.pinned.text
        if self.folder is not None:
            return str(self.folder)
        return ", ".join(map(str, self.files)) or f"GitHub Release {self.expectation.tag}"

    @property
    def rehearsed(self) -> bool:
        """Whether the folder's own receipts say that a rehearsal made it: then Sigstore itself signed none of it."""
        if self.folder is None:
            return False
        try:
            receipts = ReleaseDirectory(path=self.folder).receipts()
        except ReceiptError:
            return False
        return any(receipt.world == "rehearsal" for receipt in receipts.values())

    def answered(self, verification: Verification) -> list[Verdict]:
        """Every fact, looked at now; raises TargetRefused where the disk does not let us."""
        with self._readable():
            if self.pinned is not None:
                return verification.project(self.pinned)
            if self.folder is not None:
                return verification.folder(self.folder)
            if self.files:
                return verification.files(self.files, bundle=self.bundle)
            return verification.release(self.expectation.tag)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TargetRefused(target=self.text, problem=f"the disk does not let us ({error})") from error


def summary(verdicts: Sequence[Verdict]) -> str:
    """The last line for people."""
    count = {state: sum(verdict.state is state for verdict in verdicts) for state in State}
    told = f"{count[State.PASS]} pass, {count[State.FAIL]} fail, {count[State.ABSENT]} absent"
    refusing = sum(verdict.refuses for verdict in verdicts)
    if holds(verdicts):
        return f"verified: {told}"
    return f"NOT verified: {told}; {refusing or 'nothing'} {'of these refuse it' if refusing else 'could be proven'}"


def report(question: Question, identity: Identity, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The same for programs (docs/verifying.md)."""
    return {
        "schema": SCHEMA,
        "target": question.text,
        "identity": {"subject": identity.subject, "issuer": identity.issuer},
        "verified": holds(verdicts),
        "facts": facts(verdicts),
    }


def facts(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Every verdict as JSON data."""
    return [
        {
            "state": verdict.state.value,
            "place": verdict.place,
            "subject": verdict.subject,
            "reason": verdict.reason,
            "required": verdict.required,
        }
        for verdict in verdicts
    ]
