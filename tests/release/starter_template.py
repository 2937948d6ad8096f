"""The workflow of adopters, made from this project's own: run ``python tests/release/starter_template.py`` after
changing `.github/workflows/publish-pypi.yml`.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["OWN", "TEMPLATE", "template"]

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / ".github" / "workflows" / "publish-pypi.yml"
TEMPLATE = ROOT / "src" / "hephaestus" / "release" / "templates" / "publish-pypi.yml"

_HEADER = """\
# The release, published: each job is one session of `nox -s release` (hephaestus-toolkit), with what it needs.
# The tools of every job come from @LOCK@, by hash.
"""


def template() -> str:
    """The project's own workflow, with what is its own made a placeholder."""
    text = OWN.read_text(encoding="utf-8")
    rest = text[text.index("# This file's name is part of") :]
    for own, word in {
        "IAmJonoBo/Hephaestus": "@REPOSITORY@",
        "hephaestus-toolkit": "@PROJECT@",
        "dev/release.txt": "@UP@@LOCK@",
        "(docs/stages.md)": "(the suite's docs/stages.md)",
        "name: Publish\n": "name: @NAME@\n",
        'tags: ["v[0-9]*"]': 'tags: ["@PREFIX@v[0-9]*"]',
        "group: publish-pypi": "group: @GROUP@",
        "path: release/": "path: @DIRECTORY@/",
        "\njobs:\n": "@DEFAULTS@\njobs:\n",
        # It has no checkout, and so no folder of a package to run in.
        "      - name: Every job has ended well\n": "      - name: Every job has ended well\n@AT_THE_TOP@",
    }.items():
        assert own in rest, own
        rest = rest.replace(own, word)
    return _HEADER + rest


if __name__ == "__main__":
    TEMPLATE.write_text(template(), encoding="utf-8")
