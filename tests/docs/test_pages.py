"""What the pages say is so: links, settings, variables, faults, receipts, layout, decisions."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from docs.documents import PAGES, ROOT, anchors, blocks, links, page, section, spans

from hephaestus.release.chain import REQUIRES
from hephaestus.release.config import Config
from hephaestus.release.directory import STAGES
from hephaestus.release.receipts import Receipt
from hephaestus.standins.faults import Fault, FaultSyntaxError

LINKED = (*PAGES, "CHANGELOG.md")
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_the_front_page_is_short() -> None:
    """README.md is read in one go: a hundred lines at most."""
    assert len(page("README.md").splitlines()) <= 100


#: The front page is the index's project page too, where a relative link leads nowhere.
HERE = "https://github.com/IAmJonoBo/Hephaestus/blob/main/"


def test_the_front_page_links_by_full_address() -> None:
    """Every link of the front page works on an index's page as well."""
    assert all(re.match(r"https://", target) for target in links("README.md"))


@pytest.mark.parametrize("name", LINKED)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    """A link to a file of this project names one that exists, and a heading that exists in it."""
    dangling = []
    for target in links(name):
        ours = target.removeprefix(HERE)
        if ours == target and re.match(r"[a-z]+:", target):
            continue
        file, _, fragment = ours.partition("#")
        folder = ROOT if ours != target else (ROOT / name).parent
        path = folder / file if file else ROOT / name
        there = path.exists() and (not fragment or fragment in anchors(path.resolve().relative_to(ROOT).as_posix()))
        if not there:
            dangling.append(target)
    assert not dangling, f"{name} links to {dangling}"


@pytest.mark.parametrize("name", PAGES)
def test_every_path_of_the_project_on_a_page_exists(name: str) -> None:
    """What a page sets as a path of this project is there, a test named within it included."""
    missing = []
    for span in spans(name):
        match = re.fullmatch(r"(?P<path>(?:src|tests|docs|dev|\.ci|\.github)/[\w./-]*)(?:::(?P<test>[\w:]+))?", span)
        if match is None:
            continue
        path = ROOT / match["path"]
        test = (match["test"] or "").split("::")[-1]
        if not path.exists() or (test and f" {test}(" not in path.read_text(encoding="utf-8")):
            missing.append(span)
    assert not missing, f"{name} names {missing}"


def table_of(config: object) -> dict[str, Any]:
    """A configuration as its TOML table would stand, every key written out."""
    found: dict[str, Any] = {}
    for entry in fields(config):  # type: ignore[arg-type]
        value = getattr(config, entry.name)
        plain = table_of(value) if is_dataclass(value) else list(value) if isinstance(value, tuple) else value
        found[entry.name.replace("_", "-")] = plain
    return found


def test_the_settings_shown_are_all_settings_with_their_defaults() -> None:
    """The TOML block of docs/stages.md holds every key of the configuration, with the value it has when unsaid."""
    (block,) = blocks("docs/stages.md", "toml")
    shown = tomllib.loads(block)["tool"]["hephaestus"]["release"]
    assert shown == table_of(Config())
    assert Config.read(shown) == Config()


def test_every_variable_is_documented_and_every_documented_one_is_used() -> None:
    """HEPHAESTUS_* in src/ and in the table of docs/stages.md are the same set."""
    used = {name for path in SOURCES for name in re.findall(r"\bHEPHAESTUS_[A-Z_]+", path.read_text(encoding="utf-8"))}
    told = set(re.findall(r"HEPHAESTUS_[A-Z_]+", section("docs/stages.md", "Environment variables")))
    assert used == told


def test_no_page_names_a_variable_nobody_reads() -> None:
    """HEPHAESTUS_* on any page is one the code reads, or the test that asks the real Test PyPI."""
    readers = [*SOURCES, *(ROOT / "tests" / "smoke").glob("*.py")]
    used = {name for path in readers for name in re.findall(r"\bHEPHAESTUS_[A-Z_]+", path.read_text(encoding="utf-8"))}
    told = {name for page_ in PAGES for name in re.findall(r"\bHEPHAESTUS_[A-Z_]+", page(page_))}
    assert told <= used


def known_faults() -> Mapping[str, frozenset[str]]:
    """The kinds each service knows, as the host puts them together."""
    from hephaestus.standins import github, identity, index, sigstore

    pairs = {"pypi": index, "testpypi": index, "oidc": identity, "sigstore": sigstore, "github": github}
    return {service: frozenset(module.FAULT_KINDS) for service, module in pairs.items()}


def faults_of(name: str) -> list[Fault]:
    """Every fault a page names: ``service:kind``, alone or after ``--fault=``."""
    text = page(name)
    found = []
    for word in re.findall(r"(?:--fault[= ])?\b((?:pypi|testpypi|oidc|sigstore|github):[^\s`,;|)]+)", text):
        try:
            found.append(Fault.parse(word))
        except FaultSyntaxError as error:
            raise AssertionError(f"{name}: {word} is not written as a fault") from error
    return found


@pytest.mark.parametrize("name", [name for name in LINKED if faults_of(name)])
def test_every_fault_named_is_one_a_stand_in_suffers(name: str) -> None:
    """A fault on a page is of a service and a kind the stand-ins know; they refuse every other."""
    known = known_faults()
    unknown = [fault for fault in faults_of(name) if fault.kind not in known.get(fault.service, ())]
    assert not unknown, f"{name} names {unknown}"


def test_the_front_page_and_the_stages_name_faults() -> None:
    """The pages that should name faults do: the search above has something to find."""
    assert faults_of("README.md")
    assert len(faults_of("docs/stages.md")) >= 5


def test_the_index_of_decisions_is_complete() -> None:
    """docs/decisions/README.md lists every decision once, in order, by its own title."""
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^\| \[(\d{4})\]\((\d{4}-[\w-]+\.md)\) \| (.+) \|$", page("docs/decisions/README.md"), re.M)
    written = []
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {path.name[:4]}: "), title
        written.append((path.name[:4], path.name, title.partition(": ")[2]))
    assert listed == written


def test_the_receipt_shown_has_the_fields_of_a_receipt_in_their_order() -> None:
    """The JSON of docs/design.md has the fields a written receipt has, in order, of types that are read back."""
    (block,) = blocks("docs/design.md", "json")
    shown = json.loads(block)
    data = {name: value for name, value in shown.items() if name != "digest"}
    digest = f"sha256:{'0' * 64}"
    data |= {"key": digest, "inputs": {"dist/y.whl": digest}, "outputs": dict.fromkeys(data["outputs"], digest)}
    written = Receipt(**data).render()
    assert list(shown) == list(json.loads(written))
    assert Receipt.parse(written, source="docs/design.md").stage in STAGES


def test_the_house_shown_is_the_house() -> None:
    """docs/design.md lists exactly the packages of src/hephaestus, and folders that exist."""
    house = next(block for block in blocks("docs/design.md", "text") if "src/hephaestus/" in block)
    listed = set(re.findall(r"^  (\w+)/", house, re.MULTILINE))
    packages = {path.parent.name for path in (ROOT / "src" / "hephaestus").glob("*/__init__.py")}
    assert listed == packages
    for name in re.findall(r"^([\w./]+)\s", house, re.MULTILINE):
        assert (ROOT / name).exists(), name


def test_the_chain_is_told_in_its_order() -> None:
    """docs/design.md and docs/stages.md go through the stages in the order of the chain."""
    told = re.search(r"In this order: (.+?); `release`", page("docs/design.md"))
    assert told is not None
    assert tuple(told[1].split(", ")) == STAGES
    headings = re.findall(r"^## (.+)$", page("docs/stages.md"), re.MULTILINE)
    stages = [name for heading in headings for name in heading.split(", ") if name in STAGES]
    in_order = sorted(stages, key=lambda name: STAGES.index(_section_start(name, headings)))
    assert sorted(stages) == sorted(STAGES)
    assert stages == in_order


def _section_start(stage: str, headings: list[str]) -> str:
    """The first stage of the section a stage is told in: two stages of one module share a section."""
    return next(heading.split(", ")[0] for heading in headings if stage in heading.split(", "))


def test_what_each_stage_needs_is_what_its_session_requires() -> None:
    """ "Needs ..." of a section names every session the section's sessions require, and none that they do not."""
    requires = {name: set(needed) for name, needed in REQUIRES.items()}
    for heading in re.findall(r"^## (.+)$", page("docs/stages.md"), re.MULTILINE):
        here = [name for name in heading.split(", ") if name in requires]
        if not here:
            continue
        sentence = section("docs/stages.md", heading).partition(".")[0]
        assert sentence.startswith("Need"), heading
        named = set(re.findall(r"[a-z][a-z-]+", sentence)) & set(requires) - set(here)
        reachable = {other for name in here for other in _reached(name, requires)}
        direct = set().union(*(requires[name] for name in here)) - set(here)
        assert direct <= named <= reachable, f"{heading}: {sentence!r}, but its sessions require {sorted(direct)}"


def _reached(name: str, requires: Mapping[str, set[str]]) -> set[str]:
    return requires[name].union(*(_reached(other, requires) for other in requires[name]))


def shown_order(picture: str) -> list[str]:
    """The stages in the order in which lines of a picture begin with them, nox's own words before them left out."""
    text = re.sub(r"<[^>]+>", "\n", picture)
    begun = re.findall(r"^\s*(?:nox > )?(?:\* |Running session |Session )?([a-z][a-z-]*[a-z])\b", text, re.MULTILINE)
    return list(dict.fromkeys(word for word in begun if word in STAGES))


def test_the_picture_shows_the_stages_in_their_order() -> None:
    """The picture of a run on the front page, once there is one, shows the stages in the order of the chain."""
    _, begin, rest = page("README.md").partition("<!-- picture: begin -->")
    picture, end, _ = rest.partition("<!-- picture: end -->")
    assert begin
    assert end
    files = [ROOT / path for path in re.findall(r"(?:src=\"|]\()([^\")\s]+)", picture)]
    whole = "\n".join([picture, *(path.read_text(encoding="utf-8") for path in files)])
    shown = shown_order(whole)
    assert shown == [stage for stage in STAGES if stage in shown]
    assert bool(shown) == bool(picture.strip())


def test_a_picture_in_another_order_would_be_noticed() -> None:
    """The reading of pictures sees stages as nox and the suite print them, and their order."""
    told = "```text\nnox > Running session build\n  build: done\nsign: thing 1.0\nnox > * check: success\n```"
    assert shown_order(told) == ["build", "sign", "check"]
    assert shown_order("<text>sign: done</text><text>build: done</text>") == ["sign", "build"]
