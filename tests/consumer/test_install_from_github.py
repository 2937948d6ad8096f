"""``hephaestus release install`` from a GitHub Release: what is proven is installed with no network, and kept."""

from __future__ import annotations

from pathlib import Path

from consumer.shop import ARCHIVE, Shop, installed

BOTH = {"need": "1.0", "tiny-project": "1.2.3"}


def test_a_release_is_proven_installed_and_kept(shop: Shop, venv: Path) -> None:
    """Archive, checksum and bundle hold: both wheels are installed, the cache has archive and wheels."""
    shop.release(shop.assets())
    done = shop.install("--python", venv)
    assert (done.code, installed(venv)) == (0, BOTH), done
    assert ARCHIVE in shop.left()


def test_pip_of_the_environment_installs(shop: Shop, pip_venv: Path) -> None:
    """Where the Python has a pip of its own, that one installs, by hash and with no index."""
    shop.release(shop.assets())
    done = shop.install("--python", pip_venv)
    assert (done.code, installed(pip_venv)) == (0, BOTH), done
