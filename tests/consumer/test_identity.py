"""The identity that is expected: one, exactly; whatever could be read as a pattern is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.consumer.identity import GITHUB_ISSUER, Identity, IdentityRefused

GOOD = {"repository": "o/r", "workflow": "publish-pypi.yml", "ref": "refs/tags/v1.2.3", "issuer": GITHUB_ISSUER}


def test_the_subject_is_the_certificates() -> None:
    """Repository, workflow file and ref, as Fulcio writes them; workflow and issuer have defaults."""
    identity = Identity(repository="IAmJonoBo/Hephaestus", ref="refs/tags/v0.2.5")
    subject = "https://github.com/IAmJonoBo/Hephaestus/.github/workflows/publish-pypi.yml@refs/tags/v0.2.5"
    assert (identity.subject, identity.issuer) == (subject, GITHUB_ISSUER)
    assert Identity.of_tag("IAmJonoBo/Hephaestus", "v0.2.5") == identity


WIDE = {
    "repository": (
        "o.x/r", "-o/r", "o", "", "o/", "/r", "o/r/x", "o/*", "*/r", "o/.", "o/..", "https://github.com/o/r", "o/r\n",
        "o/r?", "o/r#", "o/[r]", "o/r @x", ".*/r",
    ),
    "workflow": ("", "*", "*.yml", "publish", "a/b.yml", "../x.yml", ".yml", "x.yml@main", "x.yml\n"),
    "ref": (
        "", "v1.2.3", "refs/tags/", "refs/tags/*", "refs/tags/v1.*", "refs/heads/", "refs/x/y", "refs/tags/v1?",
        "refs/tags/[v]1", "refs/tags/v1\n", "refs/tags/../heads/x", "refs/tags/a//b", "refs/tags/a.lock",
        "refs/tags/a/", "refs/pull/1/merge", "refs/tags/-x",
    ),
    "issuer": ("", "*", "http://x.org", "https://", "https://*.x.org", "https://x.org?a=b", "x.org"),
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WIDE.items() for value in values])
def test_what_names_no_single_identity_is_refused(field: str, value: str) -> None:
    """Wildcards, empty parts, no ref, more than was asked for: refused with the field's name."""
    with pytest.raises(IdentityRefused, match=f"the expected {field} ") as raised:
        Identity(**{**GOOD, field: value})
    assert raised.value.field == field
    assert raised.value.next_step == f"give the exact {field}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("repository", "IAmJonoBo/Hephaestus"),
        ("repository", "o/.github"),
        ("workflow", "release.yaml"),
        ("ref", "refs/heads/main"),
        ("ref", "refs/heads/release/1.2"),
        ("ref", "refs/tags/1!2.0+local"),
        ("issuer", "https://gitlab.example.org:8443/oidc"),
    ],
)
def test_what_is_exact_is_taken(field: str, value: str) -> None:
    """Every proper repository, workflow file, ref and issuer is an identity."""
    assert getattr(Identity(**{**GOOD, field: value}), field) == value


@given(field=st.sampled_from(sorted(GOOD)), value=st.text(max_size=30))
def test_an_accepted_part_holds_nothing_of_a_pattern(field: str, value: str) -> None:
    """Whatever text is given: it is refused, or it has no character that a pattern is made of."""
    try:
        Identity(**{**GOOD, field: value})
    except IdentityRefused:
        return
    assert not re.search(r"[*?\[\]{}()|^$\\\s@#%]", value)
    assert value
