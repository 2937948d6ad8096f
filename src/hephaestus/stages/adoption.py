"""Adoption: a proof that an earlier run has made public already is taken over, never made a second time.

A workflow that is started again from the beginning (re-run of all jobs, dispatch on the tag) has lost its
directory, but not its release: indexes serve the attestations they were given with the files and take no others,
and a published GitHub Release keeps its bundles. Whatever is taken over is verified like what has just been made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from hephaestus.consumer.served import PUBLISH_PREDICATE, attestations_in, predicate_of
from hephaestus.services.errors import ServiceError
from hephaestus.stages.indexes import asking, http_client
from hephaestus.stages.proofs import distributions
from hephaestus.stages.publication import github_client
from hephaestus.stages.stage import Context

__all__ = ["ADOPTED", "adopted_assets", "adopted_attestations", "begun_before"]

#: How a receipt says that its stage took over what an earlier run has made public.
ADOPTED = "taken over from the GitHub Release"


def begun_before(context: Context) -> bool:
    """Whether an index had files of this version when it was built: then another run has begun this release."""
    build = context.directory.receipt("build")
    return build is not None and bool(build.evidence.get("sealed"))


def adopted_attestations(context: Context, names: Iterable[str], folder: Path) -> dict[str, Path]:
    """The publish attestations that indexes serve for our bytes: distribution's file name to a file in ``folder``.

    ``names`` are the distributions to look for. Raises ServiceError: silence is no proof of absence.
    """
    ours = {Path(path).name: digest.removeprefix("sha256:") for path, digest in distributions(context).items()}
    wanted = set(names)
    found: dict[str, Path] = {}
    for index in context.world.indexes:
        with asking(context, index) as client:
            for file in client.release_files(context.project.normalized, context.project.version):
                if file.filename not in wanted - set(found) or file.sha256 != ours[file.filename]:
                    continue
                attestations = attestations_in(client.provenance(file) or {})
                # An index may list other kinds beside the one that sign makes.
                served = [one for one in attestations if predicate_of(one) == PUBLISH_PREDICATE]
                if served:
                    found[file.filename] = folder / f"{file.filename}.publish.attestation"
                    folder.mkdir(parents=True, exist_ok=True)
                    found[file.filename].write_text(json.dumps(served[0]), encoding="utf-8")
    return found


def adopted_assets(context: Context, names: Iterable[str], folder: Path) -> dict[str, Path]:
    """The assets of those names that the tag's GitHub Release holds: asset name to a file in ``folder``.

    A draft shows to whom may write only; what cannot be seen is made anew, and the draft's is replaced later.
    """
    found: dict[str, Path] = {}
    with http_client() as http:
        client = github_client(context, http)
        try:
            release = client.find_release(context.project.tag)
            assets = [] if release is None else [asset for asset in map(release.asset, names) if asset is not None]
            for asset in assets:
                if asset.uploaded:
                    folder.mkdir(parents=True, exist_ok=True)
                    client.download(asset, folder / asset.name)
                    found[asset.name] = folder / asset.name
        except ServiceError as error:
            context.narrator.warn(
                f"GitHub did not say whether {context.project.tag} is released: {error.what}; what it may have is made "
                f"anew -> {error.next_step}"
            )
    return found
