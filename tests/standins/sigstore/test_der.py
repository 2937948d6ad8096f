"""DER: what is written reads back, and nothing but DER is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.standins.sigstore import der


@given(st.integers())
def test_integers_read_back(value: int) -> None:
    """Every integer survives, in the shortest form."""
    assert der.to_integer(der.only_element(der.integer(value), der.INTEGER)) == value


@given(st.lists(st.tuples(st.sampled_from([0x04, 0x0C, 0x30, 0xA0, 0x86]), st.binary(max_size=300))))
def test_elements_read_back(parts: list[tuple[int, bytes]]) -> None:
    """A row of elements, short and long, is taken apart into just what it was made of."""
    encoded = [der.element(tag, content) for tag, content in parts]
    found = der.elements(b"".join(encoded))
    assert [(tag, content) for tag, content, _ in found] == parts
    assert [whole for _, _, whole in found] == encoded


@given(st.binary(max_size=40))
def test_rubbish_is_refused_or_read_exactly(encoded: bytes) -> None:
    """Any bytes either raise DERError or are the one encoding of what was read."""
    try:
        found = der.elements(encoded)
    except der.DERError:
        return
    assert b"".join(der.element(tag, content) for tag, content, _ in found) == encoded


@pytest.mark.parametrize(
    ("dotted", "encoded"),
    [
        ("1.2.840.113549.1.7.2", "06092a864886f70d010702"),
        ("2.16.840.1.101.3.4.2.1", "0609608648016503040201"),
        ("1.3.6.1.4.1.11129.2.4.2", "060a2b06010401d679020402"),
        ("2.5.29.15", "0603551d0f"),
    ],
)
def test_object_identifiers(dotted: str, encoded: str) -> None:
    """Object identifiers come out as the standards print them."""
    assert der.object_identifier(dotted).hex() == encoded


def test_sets_are_sorted_and_long_lengths_short() -> None:
    """A SET OF is sorted by encoding, and lengths take as few bytes as they can."""
    assert der.set_of([der.integer(2), der.integer(1)]) == bytes.fromhex("3106020101020102")
    assert der.octets(bytes(127))[:2] == bytes.fromhex("047f")
    assert der.octets(bytes(128))[:3] == bytes.fromhex("048180")
    assert der.octets(bytes(256))[:4] == bytes.fromhex("04820100")


def test_times_are_utc_in_whole_seconds() -> None:
    """Both kinds of time drop the fraction, as RFC 3161 wants it without trailing zeros."""
    assert der.generalized_time(1_795_334_399.999)[2:] == b"20261122075959Z"
    assert der.utc_time(1_795_334_399.999)[2:] == b"261122075959Z"


@pytest.mark.parametrize("encoded", ["0200", "02020001", "0202ff80"])
def test_integers_in_long_form_are_refused(encoded: str) -> None:
    """An empty or padded INTEGER is not DER."""
    with pytest.raises(der.DERError):
        der.to_integer(der.only_element(bytes.fromhex(encoded), der.INTEGER))
