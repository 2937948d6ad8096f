"""The probe: what it takes for importable, and how it words what does not work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from standins.index.distributions import digest_line

from hephaestus.workers import probe

PROBE = Path(probe.__file__)


def install(folder: Path, files: dict[str, str], *, name: str = "thing", entries: str = "") -> metadata.Distribution:
    """Lay out an installed distribution in ``folder``."""
    info = f"{name}-1.0.dist-info"
    everything = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"}
    if entries:
        everything[f"{info}/entry_points.txt"] = entries
    lines = [digest_line(path, text.encode()) for path, text in everything.items()]
    everything[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"])
    for path, text in everything.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return metadata.PathDistribution(folder / info)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"thing.py": ""}, ["thing"]),
        ({"thing/__init__.py": "", "thing/inner/__init__.py": "", "thing/a.py": ""}, ["thing"]),
        ({"space/one/__init__.py": "", "space/two/__init__.py": ""}, ["space.one", "space.two"]),
        ({"space/module.py": ""}, ["space.module"]),
        ({"thing/__init__.py": "", "thing/data.txt": "", "_speed.abi3.so": ""}, ["_speed", "thing"]),
        ({"thing/__main__.py": "", "thing/__init__.py": ""}, ["thing"]),
        ({"__main__.py": ""}, []),
        ({"thing.pth": "", "not-a-module.py": "", "a-b/__init__.py": ""}, []),
        ({"../../bin/tool.py": ""}, []),
    ],
)
def test_what_is_importable(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    """Top-level modules, extension modules, and the first real packages below a namespace; nothing else."""
    assert probe.importable(install(tmp_path / "a" / "b", files)) == expected


def test_imports_are_reported_with_version_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that is text is reported, any exception is one line, and SystemExit does not escape."""
    site = tmp_path / "site-packages"
    files = {"fine_.py": '__version__ = "1.0"', "odd_.py": "__version__ = (1, 0)", "exits_.py": "raise SystemExit(3)",
             "fails_.py": "\n\nraise ValueError('two\\nlines')"}  # fmt: skip
    install(site, files)
    monkeypatch.syspath_prepend(str(site))
    assert probe.look("fine_") == {"error": "", "version": "1.0"}
    assert probe.look("odd_") == {"error": "", "version": ""}
    assert probe.look("exits_")["error"] == "SystemExit: 3 (exits_.py:1)"
    assert probe.look("fails_")["error"] == "ValueError: two lines (fails_.py:3)"
    assert "No module named 'absent_'" in probe.look("absent_")["error"]


def test_scripts_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script must be there, be executable, load, and be callable; those of extras not installed are left alone."""
    entries = (
        "[console_scripts]\ngood = mod_:main\nabsent = mod_:main\nplain = mod_:main\nnumber = mod_:number\n"
        "nothing = mod_:nothing\nextra = mod_:nothing [more]\n[gui_scripts]\nwindow = mod_:main\n[other]\nx = mod_:y\n"
    )
    found = install(tmp_path, {"mod_.py": "number = 3\ndef main(): pass\n"}, entries=entries)
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("good", "plain", "number", "nothing", "window", "extra"):
        (folder / name).write_text("")
        (folder / name).chmod(0o644 if name == "plain" else 0o755)
    monkeypatch.setattr(probe.sysconfig, "get_path", lambda _name: str(folder))
    results = {name: result["error"] for name, result in probe.scripts(found, frozenset()).items()}
    assert results == {
        "good": "",
        "window": "",
        "absent": "the installer made no such script",
        "plain": "the script is not executable",
        "number": "mod_:number is a int, which cannot be called",
        "nothing": results["nothing"],
    }
    assert results["nothing"].startswith("AttributeError: ")
    assert "extra" in probe.scripts(found, frozenset({"more"}))


def test_the_answer_goes_into_the_file_whatever_the_code_prints(tmp_path: Path) -> None:
    """Run as a program: released code that prints does not spoil the answer, and a lost file is missed."""
    found = install(tmp_path, {"loud_.py": "print('{not json')", "gone_.txt": ""}, name="loud")
    (tmp_path / "gone_.txt").unlink()
    assert found.version == "1.0"
    request = {"name": "loud", "imports": [], "extras": [], "answer": str(tmp_path / "answer.json")}
    (tmp_path / "request.json").write_text(json.dumps(request))
    code = f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r});"
    code += f"sys.argv[1:] = [{str(tmp_path / 'request.json')!r}];"
    code += f"runpy.run_path({str(PROBE)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "{not json\n")
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["modules"] == {"loud_": {"error": "", "version": ""}}
    assert [os.path.basename(path) for path in answer["missing"]] == ["gone_.txt"]  # noqa: PTH119
    assert answer["installed"]["loud"] == "1.0"
