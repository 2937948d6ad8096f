"""The index client against the index stand-in."""

from __future__ import annotations

import hashlib

import pytest
from standins.index.bench import Bench
from standins.index.distributions import make_sdist, make_wheel

from hephaestus.services.index import IndexClient, PropagationState, plan_upload


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path / "index")


@pytest.fixture
def client(bench, answering, http) -> IndexClient:
    return IndexClient(answering(lambda request: bench.index.handle(request)) + "/simple/", http=http)


def test_what_was_uploaded_is_read_back(bench, client, tmp_path) -> None:
    """Plan, half an upload, plan again, the rest, visible with provenance, downloaded byte for byte."""
    wheel, sdist = make_wheel(tmp_path), make_sdist(tmp_path)
    ours = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, sdist)}
    assert client.project("tiny-thing") is None
    assert bench.upload(wheel, bench.mint(), attestations=bench.attested(wheel)).status == 200
    half = plan_upload(ours, client.project("tiny-thing"), "1.0")
    assert [file.filename for file in half.missing] == [sdist.name]
    assert half.deadline is not None
    assert half.deadline.timestamp() == bench.clock() + 14 * 86400
    assert bench.upload(sdist, bench.mint()).status == 200
    project = client.project("Tiny.Thing")
    assert plan_upload(ours, project, "1.0").complete
    file = project.file(wheel.name)
    assert client.provenance(file)["attestation_bundles"]
    assert client.provenance(project.file(sdist.name)) is None
    assert client.download(file, tmp_path / "got").sha256 == ours[wheel.name]
    assert client.json_api("tiny-thing", "1.0") == ours
    assert client.wait_for("tiny-thing", ours).state is PropagationState.VISIBLE
    wrong = {**ours, wheel.name: "0" * 64}
    assert client.wait_for("tiny-thing", wrong).wrong == {wheel.name: ("0" * 64, ours[wheel.name])}


def test_lag_is_waited_out_or_told_apart(bench, client, tmp_path, time) -> None:
    """A file hidden from some pages is waited for; hidden longer, it is published, not propagated."""
    wheel = make_wheel(tmp_path)
    ours = {wheel.name: hashlib.sha256(wheel.read_bytes()).hexdigest()}
    bench.fault("lag=6")
    assert bench.upload(wheel, bench.mint(), attestations=bench.attested(wheel)).status == 200
    for budget, state, polls in ((20, PropagationState.LAGGING, 3), (60, PropagationState.VISIBLE, 4)):
        seen = client.wait_for("tiny-thing", ours, budget_seconds=budget, poll=10, sleep=time.sleep, clock=time)
        assert (seen.state, seen.polls) == (state, polls)


def test_a_quarantine_is_not_waited_for(bench, client, tmp_path, time) -> None:
    """The files of a quarantined project are gone for everybody: said at once, with the reason."""
    wheel = make_wheel(tmp_path)
    bench.fault("quarantined=looks like malware")
    assert bench.upload(wheel, bench.mint(), attestations=bench.attested(wheel)).status == 200
    seen = client.wait_for("tiny-thing", {wheel.name: "0" * 64}, sleep=time.sleep, clock=time)
    assert (seen.state, seen.reason) == (PropagationState.QUARANTINED, "looks like malware")
    assert time.slept == []
