"""The shape of the house, held by machine: arrows, ignorance, sizes, words."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "hephaestus"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

#: A module that passes this many lines is asking to be two (design, the house). Exceptions would stand here.
LONGEST = 350
LONGER: frozenset[str] = frozenset()

#: What makes worlds; a stage gets one made.
MAKERS = (
    "hephaestus.worlds.hosting",
    "hephaestus.worlds.opening",
    "hephaestus.worlds.private",
    "hephaestus.worlds.publish",
    "hephaestus.worlds.rehearsal",
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _offered(tree: ast.Module) -> list[str] | None:
    """What a module's ``__all__`` names; None without one (programs of their own)."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def _imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a tree, inside functions and type-checking blocks too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _judgements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every expression by which a program decides: tests of branches, comparisons, matches, boolean operands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            yield node.test
        elif isinstance(node, ast.Compare):
            yield node
        elif isinstance(node, ast.Match):
            yield node.subject
        elif isinstance(node, ast.BoolOp):
            yield from node.values
        elif isinstance(node, ast.comprehension):
            yield from node.ifs
        elif isinstance(node, ast.Subscript):
            yield node.slice


def _decides_by_label(source: str) -> list[int]:
    """The lines on which something is decided by a world's label."""
    return sorted(
        {
            part.lineno
            for judgement in _judgements(ast.parse(source))
            for part in ast.walk(judgement)
            if isinstance(part, ast.Attribute) and part.attr == "label" and ast.unparse(part.value).endswith("world")
        }
    )


@pytest.mark.parametrize(
    "source",
    [
        "if world.label == 'rehearsal':\n    pass",
        "x = 1 if context.world.label != 'publish' else 2",
        "x = {'rehearsal': 1}[world.label]",
        "match world.label:\n    case 'publish':\n        pass",
        "x = [y for y in z if world.label in y]",
        "x = world.label == 'publish' and y",
        "while world.label:\n    pass",
    ],
)
def test_a_decision_by_label_would_be_found(source: str) -> None:
    """The detector that the next test trusts sees every way to branch upon a label."""
    assert _decides_by_label(source)


@pytest.mark.parametrize(
    "source", ["receipt(world=context.world.label)", "key(label=world.label)", "f'{world.label}: done'"]
)
def test_a_label_that_is_only_told_is_no_decision(source: str) -> None:
    """Recording a label, keying by it and showing it is allowed."""
    assert _decides_by_label(source) == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "stages").glob("*.py")), ids=_name)
def test_no_stage_knows_which_world_it_is_in(path: Path) -> None:
    """A module in stages/ decides nothing by the world's label, and imports nothing that makes worlds, nor nox."""
    source = path.read_text(encoding="utf-8")
    assert _decides_by_label(source) == []
    imported = set(_imports(ast.parse(source)))
    assert not {
        name for name in imported if name.startswith((*MAKERS, "hephaestus.standins", "hephaestus.nox", "nox."))
    }
    assert "nox" not in imported


def test_only_the_front_door_imports_nox() -> None:
    """Of the whole package only hephaestus.nox imports nox."""
    importing = {
        _name(path)
        for path in MODULES
        for name in _imports(ast.parse(path.read_text("utf-8")))
        if name.split(".")[0] == "nox"
    }
    assert importing
    assert all(name.startswith("src/hephaestus/nox/") for name in importing), importing


def test_arrows_run_one_way() -> None:
    """import-linter's contracts in pyproject.toml hold."""
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": str(program.parent), "PYTHONPATH": "src", "HOME": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_noxfile_is_short() -> None:
    """The project's own noxfile has at most 25 lines."""
    assert len((ROOT / "noxfile.py").read_text(encoding="utf-8").splitlines()) <= 25


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_has_one_noun(path: Path) -> None:
    """No module is longer than the design allows, none is called utils, helpers, manager or common."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST or _name(path) in LONGER, f"{lines} lines"
    assert path.stem not in ("utils", "util", "helpers", "helper", "manager", "common", "misc")


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_everything_public_says_what_it_is(path: Path) -> None:
    """Every public module, class, function and method has a docstring; what implements a documented one may lack it."""
    assert list(_silent(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_what_is_taken_from_a_module_it_offers() -> None:
    """No module imports from another what that one does not name in its ``__all__``."""
    trees = {_module(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
    offered = {name: set(names) for name, tree in trees.items() if (names := _offered(tree)) is not None}
    taken = {
        f"{importer} takes {alias.name} from {node.module}"
        for importer, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in offered
        for alias in node.names
        if alias.name not in offered[node.module] and f"{node.module}.{alias.name}" not in trees
    }
    assert len(offered) > 200
    assert taken == set()


#: What the model starts: git, which alone knows commits. It talks to nobody.
_STARTING_GIT = {"src/hephaestus/release/repository.py", "src/hephaestus/release/source.py"}
_TALKING = ("asyncio", "ftplib", "http", "requests", "smtplib", "ssl", "urllib.request", "urllib3", "xmlrpc")


def test_the_model_has_no_effects_but_on_files() -> None:
    """release/ has no network, and starts nothing but git, in two modules; of `socket` it takes the host's name."""
    for path in sorted((PACKAGE / "release").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        imported = set(_imports(ast.parse(source)))
        assert not {name for name in imported if name.startswith(_TALKING)}, _name(path)
        assert ("subprocess" in imported) == (_name(path) in _STARTING_GIT), _name(path)
        used = {part for part in ast.walk(ast.parse(source)) if isinstance(part, ast.Attribute)}
        sockets = {part.attr for part in used if isinstance(part.value, ast.Name) and part.value.id == "socket"}
        assert sockets <= {"gethostname"}, _name(path)


@pytest.mark.parametrize("path", TESTS, ids=_name)
def test_every_test_says_what_it_proves(path: Path) -> None:
    """Every test has a docstring whose first line is one sentence."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            docstring = ast.get_docstring(node) or ""
            assert docstring, f"{node.name} has no docstring"
            assert docstring.split("\n\n")[0].rstrip().endswith((".", "?")), f"{node.name}: {docstring!r}"


def test_the_version_is_the_same_everywhere() -> None:
    """`__version__`, pyproject.toml, `hephaestus --version` and `python -m hephaestus --version` agree."""
    import hephaestus

    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert hephaestus.__version__ == stated
    environ = {"PYTHONPATH": str(ROOT / "src"), "PATH": str(Path(sys.executable).parent)}
    script = "import sys; from hephaestus.cli import app; sys.argv[0] = 'hephaestus'; app()"
    for command in (["-m", "hephaestus", "--version"], ["-c", script, "--version"]):
        done = subprocess.run([sys.executable, *command], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == stated


def _silent(tree: ast.Module) -> Iterator[str]:
    """Public things without a docstring, at any depth that a reader can reach."""
    if not ast.get_docstring(tree):
        yield "the module"
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        prefix, parent = pending.pop()
        for node in ast.iter_child_nodes(parent):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                pending.append((f"{node.name}.", node))
