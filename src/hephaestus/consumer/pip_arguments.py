"""The arguments for pip that a person may add: none that would let in what was not verified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["unfit_pip_arguments"]

_FLAGS = frozenset({
    "--break-system-packages", "--compile", "--force-reinstall", "--ignore-installed", "-I", "--ignore-requires-python",
    "--no-cache-dir", "--no-color", "--no-compile", "--no-deps", "--no-warn-conflicts", "--no-warn-script-location",
    "--quiet", "-q", "--require-virtualenv", "--user", "--verbose", "-v",
})  # fmt: skip
_WITH_VALUE = frozenset({
    "--cache-dir", "--cert", "--client-cert", "--log", "--prefix", "--proxy", "--retries", "--root",
    "--root-user-action", "--target", "-t", "--timeout", "--upgrade-strategy",
})  # fmt: skip


def unfit_pip_arguments(words: Sequence[str]) -> Iterator[str]:
    """Why each word may not be handed to pip; nothing for words that may.

    Only options that say where and how files are put are let through: indexes, links, requirements and switches of
    the hash check are decided by this program, and pip takes abbreviations, so what is not known is not let through.
    """
    pending = list(words)
    while pending:
        word = pending.pop(0)
        option, equals, _value = word.partition("=")
        if word in _FLAGS or (equals and option in _WITH_VALUE and option.startswith("--")):
            continue
        if option in _WITH_VALUE and not equals:
            if not pending or pending[0].startswith("-"):
                yield f"--pip-arg {word} lacks its value"
            else:
                pending.pop(0)
            continue
        yield f"--pip-arg {word} is not handed on: only options about where and how files are put are"
