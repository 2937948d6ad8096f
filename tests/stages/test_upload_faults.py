"""Every trouble an upload can meet, each with its way back: unmodified twine against the stand-ins.

One example file a fault (``tests/examples/bad/upload``). Besides what it must say, each says how it goes on
(``after``):

- ``completes``: once the trouble has passed, the same command sends what had not arrived and is done;
- ``refused``: this version can never be completed; the same command says so again and sends nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from examples.collector import Case, cases, holds
from stages.releases import SDIST, WHEEL
from stages.standins import Scene, forget
from stages.uploads import (
    Trouble,
    believe,
    files_of,
    hide,
    never_other_bytes,
    publish,
    silent_when,
    stage_of,
    struck,
)

from hephaestus.release.directory import BURNED
from hephaestus.release.errors import ReleaseError
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience
from hephaestus.stages.upload_answers import UploadIncompleteError

#: Words of which every refusal that lasts has one: the way on that is left.
WAYS_ON = ("raise the version", "find out who uploaded it", "promote nothing")


@pytest.fixture(autouse=True)
def signatures_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's verification is believed: that it refuses is proved on its own."""
    monkeypatch.setattr("hephaestus.stages.upload_gates.verify", believe)


@pytest.fixture
def patches() -> Iterator[pytest.MonkeyPatch]:
    """What a trouble has patched, apart from what the whole test needs."""
    with pytest.MonkeyPatch.context() as context:
        yield context


def refused(scene: Scene, index: str, *, patience: float = 60.0) -> ReleaseError:
    """Run the stage, which must refuse: one clear message, and the release directory as it was but for a note."""
    held, had = files_of(scene.directory.path), scene.served(index)
    held.pop(BURNED, None)
    with pytest.raises(ReleaseError) as raised:
        scene.run(stage_of(scene, index, patience=patience))
    text = str(raised.value)
    assert "\x1b" not in text
    assert 'File "' not in text, "a tool's traceback is shown to people"
    assert {name: content for name, content in files_of(scene.directory.path).items() if name != BURNED} == held
    assert set(had.items()) <= set(scene.served(index).items()), "a file was lost"
    never_other_bytes(scene, index)
    if isinstance(raised.value, UploadIncompleteError):
        tells_the_state(scene, index, raised.value)
    return raised.value


def tells_the_state(scene: Scene, index: str, error: UploadIncompleteError) -> None:
    """Assert that an incomplete upload says how many files are there, which, and until when it can go on."""
    files = [file for file in scene.index(index).files("tiny-project") if not file.hidden]
    ours = [file for file in files if scene.digests.get(file.filename) == file.sha256]
    assert f"{len(ours)} of 2 files are on {index}" in error.what
    assert {f"on {index}: {file.filename}" for file in ours} <= set(error.details)
    named = {file.filename for file in files}
    assert {f"missing: {name}" for name in scene.digests if name not in named} <= set(error.details)
    if files:
        end = datetime.fromtimestamp(min(file.uploaded for file in files), UTC) + timedelta(days=14)
        assert f"{end:%Y-%m-%d %H:%M} UTC" in error.what or scene.standins.clock.ahead, error.what


@pytest.mark.parametrize("case", cases("upload"), ids=str)
def test_upload_refuses(case: Case, scene: Scene, patches: pytest.MonkeyPatch) -> None:
    """Each trouble says how far the upload came and what to do; nothing is lost, nothing is sent with other bytes.

    Afterwards the same command completes, sending nothing that had arrived, or says again that it never can.
    """
    index = case.change.get("index", "pypi")
    if index == "testpypi":
        forget(scene.directory, "upload-testpypi", "smoke")
    trouble = Trouble(scene, index, patches=patches)
    for change in case.change.get("before", ()):
        trouble.begin(change)
    if silence := case.change.get("silence"):
        patches.setattr("hephaestus.standins.http.SILENCE_SECONDS", silence)
    scene.standins.arm(*case.change.get("faults", ()))
    if "patience" in case.change:
        silent_when(struck(scene, patches), patches)
    had = set(scene.served(index))
    error = refused(scene, index, patience=case.change.get("patience", 60.0))
    holds(case, error)
    if "sends" in case.change:
        assert len(scene.sent(index)) == case.change["sends"], scene.sent(index)
    count = len(scene.sent(index))
    arrived = had | {one.filename for one in scene.sent(index) if one.stored}
    trouble.heal()
    match case.change["after"]:
        case "completes":
            assert scene.run(stage_of(scene, index)).state == "done"
            assert scene.served(index) == scene.digests
            assert {one.filename for one in scene.sent(index)[count:]} == set(scene.digests) - arrived
            never_other_bytes(scene, index)
        case "refused":
            assert any(way in str(error) for way in WAYS_ON), error
            stored = scene.served(index)
            again = refused(scene, index)
            absent = [word for word in case.change.get("again", case.words) if word not in str(again)]
            assert not absent, again
            assert any(way in str(again) for way in WAYS_ON), again
            assert len(scene.sent(index)) == count
            assert scene.served(index) == stored
        case other:
            raise ValueError(f"nothing known of what comes after: {other}")


class TestRiddenOut:
    """Trouble that passes within one command."""

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ("pypi:503@2x6", "failed to take it"),
            ("pypi:stored-500", ""),
            ("pypi:stored-500@2", ""),
            ("pypi:reset", ""),
            ("pypi:403", "takes no uploads at the moment"),
            ("pypi:oidc-off", "switched off"),
            ("pypi:mint-html-500", "cannot reach the identities' issuer"),
            ("pypi:lag=3", ""),
            ("pypi:simple-503x2", ""),
            ("pypi:simple-hang", ""),
            ("pypi:token-expired@2", ""),
        ],
    )
    def test_passing_trouble_is_ridden_out(
        self, scene: Scene, fault: str, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One command ends with every file there once; what was stored is known again by its hash, never sent anew."""
        if "reset" in fault:
            monkeypatch.setattr("hephaestus.standins.http.SILENCE_SECONDS", 0.3)
        if "hang" in fault:
            impatient = functools.partial(HttpClient, sleep=scene.sleep, patience=Patience(silence_seconds=2.0))
            monkeypatch.setattr("hephaestus.stages.indexes.HttpClient", impatient)
        scene.standins.arm(fault)
        assert scene.run(stage_of(scene)).state == "done"
        assert scene.served("pypi") == scene.digests
        assert words in scene.said()
        never_other_bytes(scene, "pypi")
        assert sum(one.stored for one in scene.sent("pypi")) == len(scene.digests)

    @pytest.mark.parametrize(
        ("fault", "silence", "patience"),
        [("stored-reset", 0.3, 60.0), ("stored-reset@2", 0.3, 60.0), ("stored-reset", 600.0, 6.0)],
    )
    def test_a_connection_cut_after_the_last_byte_is_settled_by_asking(
        self, scene: Scene, fault: str, silence: float, patience: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file has arrived though no answer came: it is found by its hash and not sent again.

        twine itself repeats the request with an empty body and waits; an index that waits longer than we do leaves
        a twine that never ends, which is ended by us.
        """
        monkeypatch.setattr("hephaestus.standins.http.SILENCE_SECONDS", silence)
        scene.standins.arm(f"pypi:{fault}")
        if silence > patience:
            once = iter([True])
            silent_when(lambda: bool(scene.served("pypi")) and next(once, False), monkeypatch)
        assert scene.run(stage_of(scene, patience=patience)).state == "done"
        assert scene.served("pypi") == scene.digests
        sent = [one.filename for one in scene.sent("pypi") if one.size]
        assert sorted(sent) == sorted(scene.digests)
        assert ("went silent" in scene.said()) is (silence > patience)

    def test_a_refusal_for_age_of_what_is_there_is_no_failure(self, scene: Scene) -> None:
        """Our very bytes are there, the page does not show them yet, the re-upload is refused as too late: done."""
        publish(scene, "pypi", age=13 * 24 * 3600.0)
        hide(scene.index("pypi"), SDIST, pages=3)
        scene.standins.arm("pypi:400=Uploading new files to releases older than 14 days is not allowed.x9")
        assert scene.run(stage_of(scene)).state == "done"
        assert [one.filename for one in scene.sent("pypi")] == [SDIST]
        assert "has the same bytes already" in scene.said()
        assert re.search(r"1 of 2 files .* before \S+ \S+ UTC \((\d+ hours|1 days) left\)", scene.said()), scene.said()

    def test_only_what_is_missing_is_sent(self, scene: Scene) -> None:
        """What an earlier attempt left on the index is not sent again; the receipt tells the two apart."""
        publish(scene, "pypi", WHEEL)
        outcome = scene.run(stage_of(scene))
        assert [one.filename for one in scene.sent("pypi")] == [SDIST]
        assert outcome.receipt is not None
        states = {file["file"]: file["state"] for file in outcome.receipt.evidence["files"]}
        assert states == {WHEEL: "already there", SDIST: "uploaded"}
