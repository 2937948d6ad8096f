"""The multipart parser, on forms as clients write them and on broken ones."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.index.bench import BOUNDARY, form_body

from hephaestus.standins.index.form import MalformedForm, UploadForm

KIND = f"multipart/form-data; boundary={BOUNDARY}"


def test_fields_repeat_and_the_file_stays_exact() -> None:
    """Repeated fields keep their order; the file keeps every byte, line ends and dashes included."""
    content = b"\r\n--not-the-boundary\r\n\x00\xff\r\n"
    form = UploadForm.parse(KIND, form_body([("a", "1"), ("b", "ü"), ("a", "2")], ("x.whl", content)))
    assert form.fields == {"a": ("1", "2"), "b": ("ü",)}
    assert (form.filename, form.content) == ("x.whl", content)


def test_a_quoted_boundary_and_a_preamble_are_read() -> None:
    """RFC 2046 allows both."""
    body = b"preamble\r\n" + form_body([("a", "1")], None)
    assert UploadForm.parse(f'multipart/form-data; boundary="{BOUNDARY}"', body).first("a") == "1"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("application/json", b"{}", "not a multipart form"),
        ("", b"", "not a multipart form"),
        ("multipart/form-data", b"", "no boundary"),
        (KIND, b"", "does not occur"),
        (KIND, f"--{BOUNDARY}\r\n".encode(), "before its last boundary"),
        (KIND, f"--{BOUNDARY}xx\r\n".encode(), "boundary line"),
        (KIND, form_body([("a", "1")], None)[:-30], "before its last boundary"),
        (KIND, f"--{BOUNDARY}\r\nno header end\r\n--{BOUNDARY}--".encode(), "blank line"),
        (KIND, f"--{BOUNDARY}\r\nX: y\r\n\r\nv\r\n--{BOUNDARY}--".encode(), "no name"),
        (KIND, form_body([("a", "x")], None).replace(b"\r\nx", b"\r\n\xff"), "not UTF-8"),
        (KIND, form_body([], ("a", b"1"))[: -len(BOUNDARY) - 6] + form_body([], ("b", b"2")), "two files"),
    ],
)
def test_broken_forms_are_named(kind: str, body: bytes, words: str) -> None:
    """Each defect is one kind of error that says what is wrong."""
    with pytest.raises(MalformedForm, match=words):
        UploadForm.parse(kind, body)


_NAMES = st.text("abcdefghij_:", min_size=1, max_size=8).filter(lambda name: name != "content")
_VALUES = st.text(max_size=40).filter(lambda value: BOUNDARY not in value)


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=5), st.binary(max_size=200))
def test_what_was_written_is_read(fields: list[tuple[str, str]], content: bytes) -> None:
    """Any fields and any bytes come back as sent."""
    form = UploadForm.parse(KIND, form_body(fields, ("f.tar.gz", content)))
    assert form.content == content
    assert [v for name in dict.fromkeys(n for n, _ in fields) for v in form.fields[name]] == [
        v for name in dict.fromkeys(n for n, _ in fields) for n, v in fields if n == name
    ]


@given(st.binary(max_size=200))
def test_any_body_is_a_form_or_malformed(noise: bytes) -> None:
    """Noise is refused as a malformed form and never as anything else."""
    body = f"--{BOUNDARY}\r\n".encode() + noise
    with contextlib.suppress(MalformedForm):
        assert UploadForm.parse(KIND, body).fields is not None
