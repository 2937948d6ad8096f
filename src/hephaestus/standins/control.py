"""The host's own listener: is it alive, which faults are armed, what was asked, who is the job, stop."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from hephaestus.standins.faults import Fault, Faults, FaultSyntaxError
from hephaestus.standins.http import Request, Response
from hephaestus.standins.journal import Journal

__all__ = ["Control", "Job", "Push"]

#: Makes the environment of a workflow job: identity claims and the deployment environment's name or ``-``.
Job = Callable[[Mapping[str, Any], str], Mapping[str, str]]

#: Puts commits, oldest first, and a tag on the last of them, on the GitHub stand-in.
Push = Callable[[Sequence[str], str], None]


class Control:
    """Answers whoever knows ``secret`` (``Authorization: Bearer ...``); everybody else gets 403.

    GET /ping says ``about``; POST /faults arms ``{"key": ..., "faults": [...]}`` unless that key is armed
    already, so that many sessions of one run arm once; GET /journal?after=N; POST /jobs takes ``{"identity": ...,
    "environments": [...]}`` and returns the variables of one workflow job per deployment environment; POST /push
    puts ``{"commits": [...], "tag": ...}`` on the GitHub stand-in; POST /shutdown calls ``stop``.
    """

    def __init__(
        self,
        *,
        secret: str,
        about: Mapping[str, Any],
        faults: Faults,
        kinds: Mapping[str, Collection[str]],
        journal: Journal,
        job: Job,
        push: Push,
        stop: Callable[[], None],
    ) -> None:
        self._secret = secret
        self._about = about
        self._faults = faults
        self._kinds = kinds
        self._journal = journal
        self._job = job
        self._push = push
        self._stop = stop
        self._lock = threading.Lock()
        self._armed = ""

    def handle(self, request: Request) -> Response:
        """Answer one request; a body that is not what the route takes is a 400 that says so."""
        if not hmac.compare_digest(
            request.headers.get("authorization", "").encode(), f"Bearer {self._secret}".encode()
        ):
            return _answer({"error": "the host's secret is needed"}, status=403)
        try:
            match request.method, request.path:
                case "GET", "/ping":
                    return _answer(self._about)
                case "GET", "/journal":
                    after = int(request.query.get("after", ["0"])[0])
                    return _answer({"entries": self._journal.entries(after=after)})
                case "POST", "/faults":
                    return self._arm(json.loads(request.body))
                case "POST", "/jobs":
                    asked = json.loads(request.body)
                    names = [str(name) for name in asked["environments"]]
                    return _answer({name: dict(self._job(asked["identity"], name)) for name in names})
                case "POST", "/push":
                    asked = json.loads(request.body)
                    self._push([str(commit) for commit in asked["commits"]], str(asked["tag"]))
                    return _answer({})
                case "POST", "/shutdown":
                    self._stop()
                    return _answer({}, status=202)
        except FaultSyntaxError as error:
            return _answer({"error": str(error)}, status=400)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            return _answer({"error": f"not understood: {type(error).__name__}: {error}"}, status=400)
        return _answer({"error": "no such control"}, status=404)

    def _known(self, text: str) -> Fault:
        """The fault of that text; a fault nobody suffers would make a rehearsal prove nothing: FaultSyntaxError."""
        fault = Fault.parse(text)
        kinds = self._kinds.get(fault.service)
        if kinds is None:
            raise FaultSyntaxError(f"{text} (no such service; known: {', '.join(sorted(self._kinds))})")
        if fault.kind not in kinds:
            raise FaultSyntaxError(f"{text} ({fault.service} knows: {', '.join(sorted(kinds))})")
        return fault

    def _arm(self, asked: Mapping[str, Any]) -> Response:
        faults = [self._known(str(text)) for text in asked["faults"]]
        with self._lock:
            fresh = asked["key"] != self._armed
            if fresh:
                self._faults.arm(faults)
                self._armed = asked["key"]
        return _answer({"armed": fresh})


def _answer(content: Mapping[str, Any], *, status: int = 200) -> Response:
    return Response(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(content).encode())
