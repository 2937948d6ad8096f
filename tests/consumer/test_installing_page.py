"""docs/installing.md, held to the command: its options, its JSON, its order, and the fresh machine it speaks of."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import typer
import uv
from constraints import constraints
from consumer.shop import ARCHIVE, NEED, Shop, installed, packed, wheels
from docs.documents import blocks, commands, page, section
from stages.served import Thing

from hephaestus.cli import app
from hephaestus.consumer.options import InstallOptions

PAGE = "docs/installing.md"
ROOT = Path(__file__).resolve().parents[2]
SHOWN = [command for command in commands() if command.page == PAGE and command.block]


def test_the_table_lists_every_option_with_its_default() -> None:
    """The options of the page are those of the command, hidden spellings apart, with the defaults they have."""
    command: Any = typer.main.get_command(app)
    for word in ("release", "install"):
        command = command.commands[word]
    offered = {one.opts[0] for one in command.params if not getattr(one, "hidden", False)}
    rows = {
        match[1]: match[2]
        for line in section(PAGE, "Options").splitlines()
        if (match := re.match(r"\| `(--[a-z-]+)`[^|]*\| ([^|]*) \|", line))
    }
    assert set(rows) == offered
    assert "--python-executable" in page(PAGE)
    assert "--pip-args" in page(PAGE)
    for field in fields(InstallOptions):
        row = rows.get(f"--{field.name.replace('_', '-')}", "")
        if field.default is False:
            assert row in ("off", "always so"), field.name
        elif isinstance(field.default, str | int | float) and field.name not in ("tag", "index_url", "extra_index_url"):
            told = {"python": "the Python that runs", "github_url": "GitHub's API"}.get(field.name, f"{field.default}")
            assert str(told).removesuffix(".0") in row, field.name
        else:
            assert field.default in (None, "", (), MISSING) or row == "none", field.name


def test_the_json_has_the_shape_of_the_page(shop: Shop, venv: Path) -> None:
    """Every field, in files, installed and checks too; a refusal has the fields the page shows."""
    shop.release(shop.assets())
    printed = shop.install("--python", venv, "--json").data
    (shown,) = (json.loads(block) for block in blocks(PAGE, "json"))
    assert list(shown) == list(printed)
    for part in ("files", "installed", "checks"):
        assert list(shown[part][0]) == list(printed[part][0]), part
    refused = shop.install("--python", venv, "--json", "--tag", "v9").data
    inline = re.search(r'`(\{"schema": 1, "state": "refused".*?\})`', page(PAGE).replace("\n", " "))
    assert inline is not None
    assert list(json.loads(inline[1])) == list(refused)


def test_the_commands_without_our_tool_are_those_that_are_proven() -> None:
    """Word for word on docs/verifying.md, whose commands tests/consumer/test_verifying_page.py runs."""
    theirs = {command.text for command in commands() if command.page == "docs/verifying.md" and command.block}
    mine = [command.text for command in SHOWN if command.words[0] in ("sha256sum", "sigstore", "pypi-attestations")]
    assert len(mine) == 3
    assert set(mine) <= theirs


def test_the_way_from_the_former_name_leads_there(shop: Shop, pip_venv: Path) -> None:
    """The old distribution is in: refused; the page's command takes it out; the same installation goes through."""
    new = Thing(name="hephaestus-toolkit", version="1.2.3", code="")
    old = Thing(name="hephaestus", version="0.2.0", code="")
    wheel = shop.folder / old.wheel_name
    wheel.write_bytes(old.wheel())
    words = [pip_venv, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel]
    subprocess.run(words, check=True)
    shop.release(shop.assets(packed(wheels(new))))
    assert shop.install("--python", pip_venv).code == 1
    (uninstall,) = [command.words for command in SHOWN if "uninstall" in command.text]
    assert uninstall[0] == ".venv/bin/python"
    subprocess.run([pip_venv, *uninstall[1:]], check=True, capture_output=True)
    done = shop.install("--python", pip_venv)
    assert (done.code, installed(pip_venv)) == (0, {"hephaestus-toolkit": "1.2.3"}), done


@pytest.fixture(scope="module")
def own_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's own wheel, built from the tree."""
    folder = tmp_path_factory.mktemp("own")
    pinned = constraints(folder, lock=ROOT / "dev" / "build.txt")
    words = [uv.find_uv_bin(), "build", "--quiet", "--wheel", "--build-constraint", str(pinned)]
    words += ["--out-dir", str(folder), str(ROOT)]
    subprocess.run(words, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_on_a_fresh_machine_two_commands_install_and_verify(own_wheel: Path, shop: Shop, venv: Path) -> None:
    """`uv tool install` of this very wheel with its extra, in an empty home; then one command proves and installs."""
    (first,) = [command.words for command in SHOWN if command.words[:3] == ["uv", "tool", "install"]]
    (second,) = {command.text for command in SHOWN if command.words[:3] == ["hephaestus", "release", "install"]}
    home = shop.folder / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("PATH", "PIP_", "UV_", "SSL_", "HTTP"))}
    told = subprocess.run([uv.find_uv_bin(), "cache", "dir"], capture_output=True, text=True, check=True)
    environ = {
        "UV_CACHE_DIR": told.stdout.strip(),
        **kept,
        "HOME": str(home),
        "UV_TOOL_DIR": str(home / "tools"),
        "UV_TOOL_BIN_DIR": str(home / "bin"),
        "UV_FIND_LINKS": str(own_wheel.parent),
        "UV_CONSTRAINT": str(constraints(home)),
        "PATH": os.pathsep.join([str(home / "bin"), str(Path(uv.find_uv_bin()).parent), os.environ["PATH"]]),
    }  # fmt: skip
    subprocess.run([*first, "--quiet", "--python", sys.executable], env=environ, cwd=home, check=True)
    shop.release(shop.assets(packed(wheels(NEED))))
    (home / ".venv").symlink_to(venv.parents[1])
    words = [*second.split(), *shop.words()[2:]]
    done = subprocess.run(words, env=environ, cwd=home, capture_output=True, text=True, check=False)
    assert (done.returncode, installed(venv)) == (0, {"need": "1.0"}), done.stdout + done.stderr
    assert f"PASS   bundle of {ARCHIVE}: signed by" in done.stdout
    assert (home / ".cache" / "hephaestus" / "wheelhouses" / ARCHIVE).is_file()
