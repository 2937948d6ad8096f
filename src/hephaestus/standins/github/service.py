"""The GitHub stand-in itself: faults, credentials, rate limits, and the way to the route that answers."""

from __future__ import annotations

import dataclasses
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.github import assets, refs, releases, settings
from hephaestus.standins.github.answers import Refusal, Shapes, answer
from hephaestus.standins.github.call import Call, Route
from hephaestus.standins.github.policy import Policy
from hephaestus.standins.github.store import Store, tag_object_sha
from hephaestus.standins.http import Request, Response

__all__ = ["FAULT_KINDS", "GitHub"]

_WIRE = ("500", "502", "503", "429", "403-rate-limit", "reset", "hang", "html")
_UPLOAD = ("stored-reset", "asset-truncated", "no-digest")
_CREATE = ("created-reset",)
_HOUR = 3600

#: Every fault GitHub can suffer; ``GitHub`` says what each is.
FAULT_KINDS = (*_WIRE, *_UPLOAD, *_CREATE)


@dataclass(frozen=True, kw_only=True)
class _Routed:
    pattern: re.Pattern[str]
    route: Route
    public: bool


def _table() -> Sequence[_Routed]:
    name = r"(?P<repository>[^/]+/[^/]+)"
    groups = (
        (f"/repos/{name}", assets.ROUTES, False),
        (f"/repos/{name}", releases.ROUTES, False),
        (f"/repos/{name}", settings.ROUTES, False),
        (f"/repos/{name}", refs.ROUTES, False),
        (f"/uploads/repos/{name}", assets.UPLOAD_ROUTES, False),
        ("", assets.WEB_ROUTES, True),
    )
    return [
        _Routed(pattern=re.compile(prefix + route.path), route=route, public=public)
        for prefix, routes, public in groups
        for route in routes
    ]


_TABLE = _table()


class GitHub:
    """One repository as api.github.com and uploads.github.com serve it.

    The API is at the base address, uploads below ``/uploads`` (as an Enterprise server has them apart), or at the
    plain path where the Host is ``uploads.github.com``. ``token`` may write contents, ``read_token`` may not,
    ``admin_token`` may write and sees what administrators see; without a token a repository is readable unless
    ``private``. ``clock`` gives seconds since the epoch.
    ``state`` keeps everything but the rate limits, and no address. Faults: service ``github``; any request knows
    500, 502, 503, 429=SECONDS, 403-rate-limit, reset, hang, html; an upload also stored-reset, asset-truncated,
    no-digest; a new release also created-reset.
    """

    def __init__(
        self,
        state: Path,
        *,
        repository: str,
        token: str,
        clock: Callable[[], float],
        faults: Faults,
        read_token: str = "",
        admin_token: str = "",
        private: bool = False,
        hourly_limit: int = 5000,
        anonymous_limit: int = 60,
    ) -> None:
        self._store = Store(state)
        self._name = repository
        self._token = token
        self._read_token = read_token
        self._admin_token = admin_token
        self._private = private
        self._clock = clock
        self._faults = faults
        self._limits = {True: hourly_limit, False: anonymous_limit}
        self._used: dict[tuple[bool, int], int] = {}
        self._lock = threading.Lock()

    def push(
        self, commits: Sequence[str], *, branch: str = "main", default: bool = True, workflows: Sequence[str] = ()
    ) -> None:
        """Put ``commits`` (oldest first) on ``branch``, which becomes the default one unless told otherwise.

        ``workflows`` are those of them that change a file in ``.github/workflows``.
        """
        with self._lock:
            self._store.repository.workflow_commits.extend(workflows)
            history = self._store.repository.branches.setdefault(branch, [])
            history.extend(commit for commit in commits if commit not in history)
            if default:
                self._store.repository.default_branch = branch
            self._store.save()

    def push_tag(self, name: str, commit: str, *, annotated: bool = True) -> None:
        """Create or move a tag; an annotated one has an object of its own."""
        with self._lock:
            sha = tag_object_sha(name, commit) if annotated else commit
            self._store.repository.tags[name] = {"sha": sha, "commit": commit}
            self._store.save()

    def set_immutable_releases(self, enabled: bool) -> None:  # noqa: FBT001 - the setting is the argument
        """Switch immutable releases: what is published from now on is frozen."""
        with self._lock:
            self._store.repository.immutable_releases = enabled
            self._store.save()

    def set_policy(self, policy: Policy) -> None:
        """Replace the repository's settings: rulesets, environments, permissions, the names of its secrets."""
        with self._lock:
            self._store.repository.policy = policy
            self._store.save()

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        found = _find(request)
        uploading = found is not None and found[0].route in assets.UPLOAD_ROUTES
        creating = found is not None and (found[0].route.method, found[0].route.path) == ("POST", "/releases")
        kinds = _WIRE + (_UPLOAD if uploading else _CREATE if creating else ())
        fault = self._faults.take("github", kinds)
        with self._lock:
            limits, exhausted = self._count(request)
            try:
                if exhausted:
                    raise Refusal(403, "API rate limit exceeded")
                response = self._struck(fault) or self._serve(request, found, fault)
            except Refusal as refusal:
                response = refusal.response
            except OSError:
                # What could not be saved has not happened, in memory either.
                self._store.restore()
                raise
        common = {
            "X-GitHub-Request-Id": secrets.token_hex(8).upper(),
            "Date": format_datetime(datetime.fromtimestamp(self._clock(), tz=UTC), usegmt=True),
        }
        return dataclasses.replace(response, headers={**common, **limits, **response.headers})

    def _struck(self, fault: Fault | None) -> Response | None:
        """The answer of a fault that comes before anything is done."""
        if fault is None or fault.kind not in _WIRE:
            return None
        if fault.kind == "reset":
            return Response(wire="reset")
        if fault.kind == "hang":
            return Response(wire="hang")
        if fault.kind == "html":
            page = b"<!DOCTYPE html><html><body><h1>Unicorn!</h1></body></html>"
            return Response(body=page, headers={"Content-Type": "text/html; charset=utf-8"})
        if fault.kind == "429":
            message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
            return Refusal(429, message, headers={"Retry-After": fault.value or "60"}).response
        if fault.kind == "403-rate-limit":
            headers = {"Retry-After": fault.value} if fault.value else {"X-RateLimit-Remaining": "0"}
            return Refusal(403, "API rate limit exceeded for installation.", headers=headers).response
        return Refusal(int(fault.kind), "Server Error").response

    def _serve(self, request: Request, found: tuple[_Routed, re.Match[str]] | None, fault: Fault | None) -> Response:
        if request.path == "/rate_limit":
            return answer({"resources": {"core": {"limit": self._limits[True]}}})
        if found is None:
            raise Refusal(404, "Not Found")
        routed, match = found
        fields = {name: value for name, value in match.groupdict().items() if value is not None}
        right = self._admit(request, routed, fields)
        call = Call(
            request=request,
            fields=fields,
            writer=right in ("write", "admin"),
            administrator=right == "admin",
            store=self._store,
            shapes=Shapes(base=request.base, repository=self._name),
            now=self._clock(),
            fault=fault.kind if fault else "",
        )
        return routed.route.serve(call)

    def _admit(self, request: Request, routed: _Routed, fields: dict[str, str]) -> str:
        """What the caller may do (empty: see what is public); raises Refusal where the real API turns them away."""
        if not routed.public and not request.headers.get("user-agent"):
            message = (
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header."
            )
            raise Refusal(403, message)
        known = fields.get("repository", self._name).lower() == self._name.lower()
        if routed.public:
            if not known or (self._private and "repository" in fields):
                raise Refusal(404, "Not Found")
            return ""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            if (routed.route.write or routed.route.administration) and known and not self._private:
                raise Refusal(401, "Requires authentication")
            if not known or self._private:
                raise Refusal(404, "Not Found")
            return ""
        held = {"read": self._read_token, "write": self._token, "admin": self._admin_token}
        rights = [
            right for right, text in held.items() if text and secrets.compare_digest(token.encode(), text.encode())
        ]
        if scheme.lower() not in ("bearer", "token") or not rights:
            raise Refusal(401, "Bad credentials")
        if not known:
            raise Refusal(404, "Not Found")
        right = rights[-1]
        if (routed.route.write and right == "read") or (routed.route.administration and right != "admin"):
            raise Refusal(403, "Resource not accessible by integration")
        return right

    def _count(self, request: Request) -> tuple[dict[str, str], bool]:
        """Count the request against its hourly limit: the headers that tell the caller, and whether it is over."""
        if request.path.startswith("/objects/"):
            return {}, False
        now = self._clock()
        known = bool(request.headers.get("authorization"))
        hour = int(now // _HOUR)
        used = self._used.get((known, hour), 0) + 1
        self._used = {key: count for key, count in self._used.items() if key[1] == hour} | {(known, hour): used}
        headers = {
            "X-RateLimit-Limit": str(self._limits[known]),
            "X-RateLimit-Remaining": str(max(0, self._limits[known] - used)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str((hour + 1) * _HOUR),
            "X-RateLimit-Resource": "core",
        }
        return headers, used > self._limits[known]


def _find(request: Request) -> tuple[_Routed, re.Match[str]] | None:
    path = request.path
    if request.host == "uploads.github.com":
        path = f"/uploads{path}"
    method = "GET" if request.method == "HEAD" else request.method
    for routed in _TABLE:
        match = routed.pattern.fullmatch(path)
        if match and routed.route.method == method:
            return routed, match
    return None
