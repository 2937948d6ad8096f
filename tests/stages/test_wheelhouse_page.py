"""docs/wheelhouse.md, done as it says: every console block typed, line by line, over an archive the stage made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from docs.documents import blocks, page
from stages.served import Thing
from stages.wheelhouses import WINDOWS, MadeWheelhouse

from hephaestus.release.config import Config

PAGE = "docs/wheelhouse.md"


def typed(made: MadeWheelhouse, folder: Path, block: str, path: list[Path]) -> list[str]:
    """Run the block's lines in a folder that holds the assets, with no way to any index; what was run."""
    for name in made.names:
        shutil.copyfile(made.assets / name, folder / name)
    nowhere = "http://127.0.0.1:9"
    env = {
        "PATH": os.pathsep.join([*map(str, path), "/usr/bin", "/bin"]),
        "HOME": str(folder / "home"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON": sys.executable,
        "PIP_NO_COMPILE": "1",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), nowhere),
    }
    lines = [line.removeprefix("$ ") for line in block.splitlines()]
    for line in lines:
        done = subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return lines


def test_both_ways_of_the_page_install_it(made_wheelhouse: MadeWheelhouse, tmp_path: Path) -> None:
    """With pip only and with uv only (list and lock): the project runs, and nothing but these lines was needed."""
    found = blocks(PAGE, "console")
    assert len(found) == 2
    python, uv = tmp_path / "python", tmp_path / "uv"
    python.mkdir()
    (python / "python3").symlink_to(sys.executable)
    uv.mkdir()
    (uv / "uv").symlink_to(Path(sys.executable).parent / "uv")
    for number, (block, tool) in enumerate(zip(found, (python, uv), strict=True)):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = typed(made_wheelhouse, folder, block, [tool])
        assert ("uv pip install" in block) is (tool is uv)
        done = subprocess.run([folder / "env" / "bin" / "tiny"], capture_output=True, text=True, check=True)
        assert done.stdout == "tiny 1.2.3\n"
        assert any("sha256sum -c" in line for line in lines) is (tool is python)


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_a_changed_wheel_is_refused_by_list_and_lock(
    made_wheelhouse: MadeWheelhouse, tmp_path: Path, tool: str
) -> None:
    """Another wheel of the same name: the page's own commands name its hash or size and end, with either tool."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    subprocess.run(["tar", "-xzf", made_wheelhouse.assets / made_wheelhouse.archive, "-C", wheels], check=True)
    other = Thing(name="need", version="1.5", code="import os\n")
    (wheels / other.wheel_name).write_bytes(other.wheel())
    made = [sys.executable, "-m", "uv", "venv", "-q", "--no-project", "--python", sys.executable]
    subprocess.run([*made, "env"], cwd=tmp_path, check=True)
    lines = [line.removeprefix("$ ") for block in blocks(PAGE, "console") for line in block.splitlines()]
    wanted = "env/bin/python -m pip install" if tool == "pip" else "uv pip install"
    mine = [line for line in lines if line.startswith(wanted)]
    assert mine
    for line in mine:
        words = line.replace("env/bin/python -m pip", f"{sys.executable} -m pip --python env").replace(
            "uv pip", f"{sys.executable} -m uv pip", 1
        )
        done = subprocess.run(words.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode != 0, line
        assert re.search(r"(?i)hash|has size", done.stdout + done.stderr), done.stdout + done.stderr


def test_pip_takes_the_lock_as_well(made_wheelhouse: MadeWheelhouse, tmp_path: Path) -> None:
    """A pip that knows lock files resolves nothing and takes every wheel of it."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    subprocess.run(["tar", "-xzf", made_wheelhouse.assets / made_wheelhouse.archive, "-C", wheels], check=True)
    argv = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-index"]
    done = subprocess.run([*argv, "-r", "wheels/pylock.toml"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Would install late-1.0 native-2.0 need-1.5 tiny-project-1.2.3" in done.stdout


def test_the_lock_is_refused_where_it_was_not_made_for(made_wheelhouse: MadeWheelhouse, tmp_path: Path) -> None:
    """The other target's lock names its system and Python: pip and uv refuse it here, instead of installing half."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    archive = f"tiny-project-1.2.3-wheels-{WINDOWS.name}.tar.gz"
    subprocess.run(["tar", "-xzf", made_wheelhouse.assets / archive, "-C", wheels], check=True)
    lock = wheels / "pylock.toml"
    text = lock.read_text(encoding="utf-8")
    assert 'requires-python = "==3.10.*"\n' in text
    lock.write_text(text.replace('requires-python = "==3.10.*"\n', ""), encoding="utf-8")  # so that the system counts
    for tool in (["uv", "pip", "install", "--offline", "--dry-run"], ["pip", "install", "--dry-run"]):
        argv = [sys.executable, "-m", *tool, "--no-index", "-r", "wheels/pylock.toml"]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode != 0, done.stdout + done.stderr
        assert re.search(r"target environment is not|does not satisfy any of the environments", done.stderr)


def test_the_settings_and_names_of_the_page_are_real() -> None:
    """The targets shown are targets, and the further archive's name is what one of them is given."""
    (block,) = blocks(PAGE, "toml")
    config = Config.read(tomllib.loads(block)["tool"]["hephaestus"]["release"])
    names = [target.name for target in config.wheelhouse.parsed_targets()]
    assert f"tiny-project-1.2.3-wheels-{names[-1]}.tar.gz" in page(PAGE)
