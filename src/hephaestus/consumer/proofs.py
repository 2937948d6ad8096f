"""Holding a file against its proofs: signatures under the expected identity, and what is said when there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hephaestus.consumer.identity import Identity
from hephaestus.consumer.narration import Narrator
from hephaestus.consumer.options import InstallOptions
from hephaestus.consumer.refusals import NotVerified, Unsigned
from hephaestus.consumer.trust import Claim, VerificationUnavailable
from hephaestus.consumer.verdict import State, Verdict

__all__ = ["Proofs", "Verifier"]


class Verifier(Protocol):
    """What verifies signatures: ``consumer.trust.Trust``."""

    def verify(self, identity: Identity, claims: Sequence[Claim]) -> tuple[Verdict, ...]:
        """One verdict a claim, in order."""


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """The proofs of one installation. ``verdicts`` are everything that was looked at, in order."""

    options: InstallOptions
    verifier: Verifier
    narrator: Narrator
    verdicts: list[Verdict] = field(default_factory=list)

    def holds(self, subject: str, reason: str) -> None:
        """Keep that something was looked at and holds."""
        self.verdicts.append(Verdict(state=State.PASS, subject=subject, reason=reason))

    def lacks(self, subject: str, *, lacks: str, looked: str) -> None:
        """Raise Unsigned; with ``--allow-unsigned``, say aloud what is not proven and go on."""
        if not self.options.allow_unsigned:
            raise Unsigned(subject=subject, lacks=lacks, looked=looked)
        self.narrator.warn(f"{subject} has no {lacks}: not proven, accepted because of --allow-unsigned")
        self.verdicts.append(
            Verdict(state=State.ABSENT, subject=f"{lacks} of {subject}", reason="--allow-unsigned", required=False)
        )

    def signed(self, subject: str, claims: Sequence[Claim], *, tag: str) -> None:
        """Verify every claim under one of the identities that may have signed the release ``tag``.

        Raises NotVerified; VerificationUnavailable unless ``--allow-unsigned``.
        """
        identities = self.options.identities(tag)
        self.narrator.step(f"verifying {', '.join(claim.subject for claim in claims)}")
        verdicts: tuple[Verdict, ...] = ()
        try:
            for identity in identities:
                verdicts = self.verifier.verify(identity, claims)
                if verdicts and all(verdict.state is State.PASS for verdict in verdicts):
                    self.verdicts.extend(verdicts)
                    return
        except VerificationUnavailable as error:
            if not self.options.allow_unsigned:
                raise
            self.lacks(subject, lacks="verified signature", looked=error.what)
            self.narrator.warn(error.what)
            return
        expected = " or ".join(identity.subject for identity in identities)
        raise NotVerified(subject=subject, verdicts=verdicts, expected=expected)
