"""Receipts: what is written is read again, and any doubt about what is read is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.release.manifest import unsafe_path
from hephaestus.release.receipts import Receipt, ReceiptError, key_of

DIGEST = f"sha256:{'0' * 64}"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PATHS = TEXT.filter(lambda name: unsafe_path(name) is None)
DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
RECEIPTS = st.builds(
    Receipt,
    stage=TEXT, world=TEXT, project=TEXT, version=TEXT, commit=TEXT, dirty=st.booleans(), key=DIGESTS, started=TEXT,
    seconds=st.floats(0, 1e6), inputs=st.dictionaries(PATHS, DIGESTS, max_size=3),
    outputs=st.dictionaries(PATHS, DIGESTS, max_size=3), tools=st.dictionaries(TEXT, TEXT, max_size=3),
    commands=st.lists(st.lists(TEXT, max_size=3), max_size=3), evidence=st.dictionaries(TEXT, JSON, max_size=3),
)  # fmt: skip


def plain() -> dict[str, Any]:
    receipt = Receipt(
        stage="build", world="rehearsal", project="p", version="1", commit="c" * 40, dirty=False, key=DIGEST,
        started="2026-01-02T03:04:05Z", seconds=1.5, outputs={"dist/x.whl": DIGEST},
    )  # fmt: skip
    data: dict[str, Any] = json.loads(receipt.render())
    return data


@given(RECEIPTS)
def test_what_is_written_is_read_again(receipt: Receipt) -> None:
    """Every receipt survives being written and read, and is written the same way twice."""
    again = Receipt.parse(receipt.render(), source="x")
    assert again == receipt
    assert again.render() == receipt.render()


@given(st.text(max_size=100) | JSON.map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing that is no receipt fails in another way than by ReceiptError."""
    with pytest.raises(ReceiptError):
        Receipt.parse(text, source="receipts/build.json")


@given(st.integers(0, 400))
def test_a_truncated_receipt_is_refused(length: int) -> None:
    """A receipt cut off anywhere before its last brace is none."""
    text = json.dumps(plain())
    with pytest.raises(ReceiptError, match=r"receipts/build\.json"):
        Receipt.parse(text[: min(length, len(text) - 1)], source="receipts/build.json")


@given(st.sampled_from(sorted(plain())), JSON)
def test_a_field_of_another_kind_is_refused_or_kept_exactly(name: str, value: object) -> None:
    """Whatever stands in a field is either refused or comes out as it went in: nothing is guessed."""
    data = {**plain(), name: value}
    try:
        receipt = Receipt.parse(json.dumps(data), source="x")
    except ReceiptError:
        return
    assert json.loads(receipt.render()) == data


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": 2}, "has schema 2, this version reads 1"),
        ({"schema": True}, "field schema"),
        ({"schema": None}, "has schema None"),
        ({"extra": 1}, "unknown fields extra"),
        ({"key": "sha256:0"}, "field key"),
        ({"dirty": 0}, "field dirty"),
        ({"seconds": True}, "field seconds"),
        ({"outputs": {"../x": DIGEST}}, "leaves the folder"),
        ({"outputs": {"/etc/passwd": DIGEST}}, "not a relative POSIX path"),
        ({"outputs": {"x": "sha256:12"}}, "the digest of x"),
        ({"outputs": {"x": None}}, "the digest of x"),
        ({"inputs": {"a\\b": DIGEST}}, "not a relative POSIX path"),
        ({"inputs": []}, "field inputs"),
        ({"tools": {"build": 1}}, "field tools"),
        ({"commands": ["python -m build"]}, "field commands"),
        ({"commands": [["python", 1]]}, "field commands"),
    ],
)
def test_a_doubtful_receipt_is_refused(change: dict[str, Any], problem: str) -> None:
    """Another schema, an unknown field, a path that leaves the folder, a malformed digest: each named."""
    with pytest.raises(ReceiptError) as raised:
        Receipt.parse(json.dumps({**plain(), **change}), source="receipts/build.json")
    assert problem in raised.value.what
    assert "remove receipts/build.json" in raised.value.next_step


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a receipt"),
        ("[]", "is not a JSON object"),
        (json.dumps(plain()).replace('"dirty": false', '"dirty": false, "dirty": true'), "'dirty' stands twice"),
        (json.dumps(plain()).replace("1.5", "NaN"), "NaN is no JSON number"),
        ("[" * 100_000, "is not a receipt"),
        (json.dumps({name: value for name, value in plain().items() if name != "key"}), "lacks key"),
    ],
)
def test_what_is_no_json_object_of_a_receipt_is_refused(text: str, problem: str) -> None:
    """Empty, contradictory, bottomless or incomplete text is named for what it is."""
    with pytest.raises(ReceiptError) as raised:
        Receipt.parse(text, source="receipts/build.json")
    assert problem in raised.value.what


@given(st.dictionaries(TEXT.filter(str.isidentifier), JSON, max_size=4))
def test_a_key_depends_on_its_inputs_and_nothing_else(inputs: dict[str, Any]) -> None:
    """The order of inputs changes no key; one input more does."""
    assert key_of(**dict(reversed(inputs.items()))) == key_of(**inputs)
    assert key_of(**inputs, one_more_input=1) != key_of(**inputs)
