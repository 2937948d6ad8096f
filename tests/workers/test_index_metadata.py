"""The worker that asks the index's own libraries, under the environments of the stages that ask it."""

from __future__ import annotations

import pytest
from workers.conftest import Ask


@pytest.mark.parametrize("lock", ["sign", "check"])
def test_it_knows_what_the_index_knows(ask_worker: Ask, lock: str) -> None:
    """The list is there in both environments, sorted, with classifiers everybody uses and none invented."""
    code, answer = ask_worker("index_metadata", lock, {"descriptions": []})
    assert code == 0
    known = answer["classifiers"]
    assert known == sorted(known)
    assert len(known) > 500
    assert "Programming Language :: Python :: 3" in known
    assert "Topic :: Blacksmithing :: Gods" not in known


def test_it_names_descriptions_that_do_not_render(ask_worker: Ask) -> None:
    """Broken reStructuredText is named with its place, by default too; Markdown, plain and good text are not."""
    broken = "Title\n=====\n\n.. code:: python\n\nnot indented ``open\n\n.. unknown::\n"
    descriptions = [
        {"file": "rst", "content_type": "text/x-rst; charset=UTF-8", "text": broken},
        {"file": "default", "content_type": None, "text": broken},
        {"file": "markdown", "content_type": "text/markdown", "text": broken},
        {"file": "plain", "content_type": "text/plain", "text": broken},
        {"file": "good", "content_type": "text/x-rst", "text": "Title\n=====\n\nWords.\n"},
        {"file": "empty", "content_type": None, "text": ""},
    ]
    code, answer = ask_worker("index_metadata", "sign", {"descriptions": descriptions})
    assert code == 0
    assert [entry["file"] for entry in answer["unrendered"]] == ["rst", "default"]
    assert all("<string>" in entry["reason"] for entry in answer["unrendered"])
