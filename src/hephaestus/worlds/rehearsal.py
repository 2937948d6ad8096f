"""The world of stand-ins: same stages, same tools, nothing leaves this machine but reads of dependencies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hephaestus.release.errors import ReleaseError
from hephaestus.release.tags import tag_of
from hephaestus.worlds.children import AUTHORITY_VARIABLES, LOOPBACK, builder, credential_names, installer, isolated
from hephaestus.worlds.hosting import Host
from hephaestus.worlds.world import (
    ChildKind,
    DirtyPolicy,
    GitHub,
    Index,
    Policy,
    Publisher,
    Sigstore,
    TagPolicy,
    World,
)

__all__ = ["REHEARSAL_POLICY", "OffLoopbackError", "refuse_off_loopback", "rehearsal_world", "trust_off_loopback"]

#: A rehearsal takes the tree as it is, says so, and assumes the tag; ``dataclasses.replace`` changes the rest.
REHEARSAL_POLICY = Policy(dirty=DirtyPolicy.LABEL, tag=TagPolicy.ASSUMED, propagation_seconds=60.0, poll_seconds=0.1)

#: The identity variables a rehearsal's signers and uploaders get from the stand-in issuer, and no others.
_OWN_CREDENTIALS = frozenset({"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"})
#: By host and release: when a job's variables were given, and what they are. They hold good for a day.
_JOBS: dict[str, tuple[float, dict[str, dict[str, str]]]] = {}
_JOBS_SECONDS = 3600.0
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


class OffLoopbackError(ReleaseError):
    """Raised when something in a rehearsal's world could reach a real service or holds a real credential."""

    def __init__(self, *, problems: list[str]) -> None:
        super().__init__(
            what="refused: this rehearsal could reach a real service",
            why="a rehearsal must not be able to publish, sign or log in anywhere but at its local stand-ins",
            details=problems,
            next_step="this is a defect of the suite: please report it with the lines above; nothing was sent",
        )


def rehearsal_world(
    *,
    version: str,
    commit: str,
    repository: str,
    workflow: str,
    environments: Mapping[str, str],
    host: Host,
    environ: Mapping[str, str],
    tag: str | None = None,
    policy: Policy = REHEARSAL_POLICY,
) -> World:
    """The world behind ``host`` for one release, in which the commit and its tag have been pushed to GitHub.

    ``commit`` is 40 hex digits; ``repository`` is ``OWNER/NAME``; ``workflow`` the publishing workflow's file name;
    ``environments`` names the deployment environment per index; ``tag`` defaults to ``v<version>``; ``environ`` is
    the caller's environment, of which children get what their kind may see. Raises OffLoopbackError,
    HostSilentError.
    """
    tag = tag or tag_of(version)
    publisher = Publisher(repository=repository, workflow=workflow, ref=f"refs/tags/{tag}", assumed=True)
    identity = {
        "repository": repository,
        "workflow": workflow,
        "ref": publisher.ref,
        "sha": commit,
        # The workflow runs on the push of a tag (requirement E1).
        "event_name": "push",
    }
    jobs = _jobs(host, commit=commit, tag=tag, identity=identity, environments=environments)
    children, uploaders = _environments(host, jobs=jobs, environments=environments, environ=environ)
    world = World(
        label="rehearsal",
        indexes={name: Index.at(host.url(name), name=name) for name in environments},
        github=GitHub(
            api_url=host.url("github"),
            uploads_url=f"{host.url('github')}/uploads",
            repository=repository,
            token=host.github_token,
        ),
        sigstore=Sigstore(trust_config=host.trust_config),
        publisher=publisher,
        policy=policy,
        children=children,
        uploaders=uploaders,
        addresses=_addresses(host),
        state=host.state,
        withheld=_withheld(environ),
    )
    refuse_off_loopback(world)
    return world


def refuse_off_loopback(world: World) -> None:
    """Raise OffLoopbackError unless all writing, signing and logging in of ``world`` ends on this machine.

    Holds for a rehearsal only; a publish is meant to leave.
    """
    problems = [*_addresses_off(world), *trust_off_loopback(world.sigstore.trust_config), *_children_off(world)]
    if problems:
        raise OffLoopbackError(problems=problems)


def _jobs(
    host: Host, *, commit: str, tag: str, identity: Mapping[str, Any], environments: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The commit pushed and the jobs of it, asked for once an hour by one process: every session of a run is in one."""
    names = ["-", *environments.values()]
    key = json.dumps([host.secret, host.ports["control"], commit, tag, dict(identity), names], sort_keys=True)
    known = _JOBS.get(key)
    if known is not None and time.monotonic() - known[0] < _JOBS_SECONDS:
        return known[1]
    host.push([commit], tag=tag)
    jobs = host.jobs(identity, names)
    _JOBS[key] = (time.monotonic(), jobs)
    return jobs


def _environments(
    host: Host,
    *,
    jobs: Mapping[str, dict[str, str]],
    environments: Mapping[str, str],
    environ: Mapping[str, str],
) -> tuple[dict[ChildKind, dict[str, str]], dict[str, dict[str, str]]]:
    authority = dict.fromkeys(AUTHORITY_VARIABLES, str(host.authority))
    homes = host.state / "home"
    bare_uploader = isolated(environ, home=homes / "uploader") | authority | {"HTTPS_PROXY": host.url("proxy")}
    job = jobs["-"]
    uploaders = {name: bare_uploader | jobs[environment] for name, environment in environments.items()}
    children = {
        ChildKind.BUILDER: builder(environ),
        ChildKind.INSTALLER: installer(environ),
        # With this authority even a client that ignores its trust configuration cannot talk to a real service.
        ChildKind.SIGNER: isolated(environ, home=homes / "signer") | authority | job,
        ChildKind.UPLOADER: bare_uploader | job,
        ChildKind.PROBE: isolated(environ, home=homes / "probe"),
    }
    return children, uploaders


def _addresses(host: Host) -> dict[str, str]:
    """Every address of this start, and its name that may be kept."""
    named = {str(host.state): "<stand-ins>"}
    for name, port in host.ports.items():
        named[host.url(name)] = f"standin://{name}"
        for loopback in LOOPBACK:
            named[f"{loopback}:{port}"] = f"standin-{name}"
    return named


def _withheld(environ: Mapping[str, str]) -> tuple[str, ...]:
    names = credential_names(environ)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return (*names, "~/.pypirc") if home and (Path(home) / ".pypirc").exists() else names


def _on_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:
        return False


def _addresses_off(world: World) -> Iterator[str]:
    for index in world.indexes.values():
        for url in (index.simple_url, index.json_url):
            if not _on_loopback(url):
                yield f"index {index.name} is read at {url}"
        if index.name not in world.uploaders:
            yield f"index {index.name} has no uploader's environment of its own"
    for url in (world.github.api_url, world.github.uploads_url):
        if not _on_loopback(url):
            yield f"GitHub is reached at {url}"


def trust_off_loopback(path: Path | None) -> Iterator[str]:
    """What in a Sigstore trust configuration would sign off this machine; None stands for the public instance."""
    if path is None:
        yield "no trust configuration: signing would go to the public Sigstore"
        return
    try:
        signing = json.loads(path.read_bytes())["signingConfig"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"the trust configuration cannot be read: {type(error).__name__}"
        return
    urls = [url for url in _urls(signing) if not _on_loopback(url)]
    yield from (f"the trust configuration signs at {url}" for url in urls)


def _urls(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "url" and isinstance(value, str):
                yield value
            else:
                yield from _urls(value)
    elif isinstance(document, list):
        for item in document:
            yield from _urls(item)


def _children_off(world: World) -> Iterator[str]:
    named = [
        *((str(kind), environment) for kind, environment in world.children.items()),
        *((f"uploader of {name}", environment) for name, environment in world.uploaders.items()),
    ]
    for who, environment in named:
        acting = who.startswith(("signer", "uploader"))
        for name in credential_names(environment):
            if not (acting and name in _OWN_CREDENTIALS):
                yield f"{who}: {name} reaches this child"
        if not acting:
            continue
        if not _on_loopback(environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")):
            yield f"{who}: its identity does not come from the loopback"
        proxies = {name: value for name, value in environment.items() if name.upper() in _PROXY_VARIABLES}
        for name, value in proxies.items():
            if not _on_loopback(value):
                yield f"{who}: {name} leads off this machine"
        if who.startswith("uploader") and "HTTPS_PROXY" not in proxies:
            yield f"{who}: not led through the stand-ins' proxy"
        for name in AUTHORITY_VARIABLES:
            if not environment.get(name):
                yield f"{who}: {name} is not set, so real services would be trusted"
