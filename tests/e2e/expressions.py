"""The part of GitHub's expression language that workflows here use, read and evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Expressions", "UnknownExpressionError"]

_TOKENS = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<op>&&|\|\||==|!=|[!().,*])|(?P<name>[A-Za-z_][\w-]*))")
_INSERTED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class UnknownExpressionError(Exception):
    """Raised for what this evaluator does not know: the test must learn it, never guess."""


@dataclass(frozen=True, kw_only=True)
class Expressions:
    """Contexts (``github``, ``needs`` ...) and functions; names are looked up as GitHub does, a missing one is ''."""

    contexts: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def condition(self, text: str) -> bool:
        """An ``if:``; without a status function GitHub puts ``success() &&`` before it."""
        stated = any(f"{name}(" in text for name in ("success", "failure", "always", "cancelled"))
        return bool((stated or self.functions["success"]()) and self.value(text))

    def text(self, text: str) -> str:
        """A text with its ``${{ }}`` parts filled in."""
        return _INSERTED.sub(lambda match: _shown(self.value(match[1])), text)

    def value(self, text: str) -> Any:
        """One expression's value."""
        tokens, place = [], 0
        stripped = text.strip()
        while place < len(stripped):
            match = _TOKENS.match(stripped, place)
            if match is None:
                raise UnknownExpressionError(text)
            tokens.append(match.group().strip())
            place = match.end()
        return _Reader(tokens, self).whole()


class _Reader:
    def __init__(self, tokens: list[str], world: Expressions) -> None:
        self._tokens = tokens
        self._world = world

    def whole(self) -> Any:
        value = self._either()
        if self._tokens:
            raise UnknownExpressionError(" ".join(self._tokens))
        return value

    def _either(self) -> Any:
        value = self._both()
        while self._taken("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._equal()
        while self._taken("&&"):
            other = self._equal()
            value = value and other
        return value

    def _equal(self) -> Any:
        value = self._not()
        while self._tokens and self._tokens[0] in ("==", "!="):
            same = self._tokens.pop(0) == "=="
            value = (str(value).casefold() == str(self._not()).casefold()) is same
        return value

    def _not(self) -> Any:
        return not self._not() if self._taken("!") else self._plain()

    def _plain(self) -> Any:
        if self._taken("("):
            value = self._either()
            self._need(")")
            return value
        token = self._tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._taken("("):
            given = []
            while not self._taken(")"):
                given.append(self._either())
                self._taken(",")
            if token not in self._world.functions:
                raise UnknownExpressionError(f"{token}()")
            return self._world.functions[token](*given)
        if token not in self._world.contexts:
            raise UnknownExpressionError(token)
        value = self._world.contexts[token]
        while self._taken("."):
            name = self._tokens.pop(0)
            if name == "*":
                value = list(value.values())
            elif isinstance(value, list):
                value = [item.get(name, "") for item in value]
            else:
                value = value.get(name, "") if isinstance(value, Mapping) else ""
        return value

    def _taken(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._taken(token):
            raise UnknownExpressionError(f"{token} is missing")


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
