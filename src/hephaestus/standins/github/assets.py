"""Release assets: upload on the uploads host, the address to download from, deletion."""

from __future__ import annotations

import hashlib
import re
import secrets

from hephaestus.standins.github.answers import Refusal, answer, validation_failed
from hephaestus.standins.github.call import Call, Route, paged
from hephaestus.standins.github.store import StoredAsset, StoredRelease
from hephaestus.standins.http import Response

__all__ = ["ROUTES", "UPLOAD_ROUTES", "WEB_ROUTES", "stored_name"]

_RANGE = re.compile(r"bytes=([0-9]{1,18})-\Z")
_STRANGE = re.compile(r"[^A-Za-z0-9._+-]+")


def stored_name(name: str) -> str:
    """The name GitHub keeps: special characters become dots, leading and trailing dots go (REST documentation)."""
    return _STRANGE.sub(".", name).strip(".")


def _upload(call: Call) -> Response:
    release, content = call.release(), call.request.body
    if release.immutable:
        raise Refusal(422, "Cannot upload assets to an immutable release.")
    name = stored_name(call.parameter("name"))
    if not name:
        raise validation_failed({"resource": "ReleaseAsset", "code": "missing_field", "field": "name"})
    if "content-type" not in call.request.headers:
        raise Refusal(400, "Bad Content-Type")
    if not content:
        raise Refusal(400, "Bad Content-Length")
    if release.asset_named(name) is not None:
        raise validation_failed({"resource": "ReleaseAsset", "code": "already_exists", "field": "name"})
    broken = call.fault == "asset-truncated"
    if broken:
        content = content[: len(content) // 2]
    digest = "" if broken or call.fault == "no-digest" else f"sha256:{hashlib.sha256(content).hexdigest()}"
    asset = StoredAsset(
        id=call.repository.new_id(),
        name=name,
        label=call.parameter("label") or None,
        content_type=call.request.headers["content-type"],
        size=len(content),
        digest=digest,
        state="starter" if broken else "uploaded",
        created=call.now,
        key=secrets.token_hex(16),
    )
    call.store.keep(asset, content)
    release.assets.append(asset)
    call.store.save()
    if broken:
        raise Refusal(502, "Bad Gateway")
    if call.fault == "stored-reset":
        return Response(wire="reset")
    return answer(call.shapes.asset(release, asset), status=201)


def _list(call: Call) -> Response:
    release = call.release()
    return paged(call, [call.shapes.asset(release, asset) for asset in release.assets])


def _get(call: Call) -> Response:
    release, asset = _asked(call)
    if "application/octet-stream" not in call.request.headers.get("accept", ""):
        return answer(call.shapes.asset(release, asset))
    return _download(call, asset)


def _delete(call: Call) -> Response:
    release, asset = _asked(call)
    if release.immutable:
        raise Refusal(422, "Cannot delete asset from an immutable release.")
    release.assets.remove(asset)
    call.store.save()
    call.store.forget(asset)
    return answer(None, status=204)


def _update(call: Call) -> Response:
    release, asset = _asked(call)
    if release.immutable:
        raise Refusal(422, "Cannot update asset of an immutable release.")
    body = call.json()
    name = stored_name(str(body.get("name", asset.name)))
    other = release.asset_named(name)
    if other is not None and other is not asset:
        raise validation_failed({"resource": "ReleaseAsset", "code": "already_exists", "field": "name"})
    asset.name, asset.label = name, body.get("label", asset.label)
    call.store.save()
    return answer(call.shapes.asset(release, asset))


def _browse(call: Call) -> Response:
    """The browser's address: published releases only, whoever asks."""
    release = call.repository.published(call.fields["tag"])
    asset = release.asset_named(call.fields["name"]) if release else None
    if asset is None:
        raise Refusal(404, "Not Found")
    return _download(call, asset)


def _download(call: Call, asset: StoredAsset) -> Response:
    if asset.state != "uploaded":
        raise Refusal(404, "Not Found")
    place = f"{_storage(call.request.base)}/objects/{asset.id}?sig={asset.key}"
    return Response(status=302, headers={"Location": place, "Cache-Control": "no-cache"})


def _storage(base: str) -> str:
    """The storage's address: another host than the API's, as in reality, so that careless clients show themselves."""
    scheme, _, authority = base.partition("://")
    host, colon, port = authority.partition(":")
    other = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}.get(host, "release-assets.githubusercontent.com")
    return f"{scheme}://{other}{colon}{port}"


def _object(call: Call) -> Response:
    """The storage behind the redirect: the signed address is the whole credential, a second one is refused."""
    found = call.repository.asset(int(call.fields["asset"]))
    if "authorization" in call.request.headers:
        return Response(status=400, body=b"<Error><Code>InvalidAuthenticationInfo</Code></Error>")
    if found is None or not secrets.compare_digest(call.parameter("sig").encode(), found[1].key.encode()):
        return Response(status=403, body=b"<Error><Code>AuthenticationFailed</Code></Error>")
    path = call.store.asset_path(found[1])
    size, stamp = path.stat().st_size, path.stat().st_mtime_ns
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename={found[1].name}",
        "Accept-Ranges": "bytes",
        "ETag": f'"0x{stamp:X}"',
    }
    start = _wanted(call, headers["ETag"])
    if not 0 < start < size:
        return Response(file=path, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return Response(status=206, body=path.read_bytes()[start:], headers=headers)


def _wanted(call: Call, etag: str) -> int:
    """Where the part asked for begins; 0 for the whole, which goes out too when the condition of the part fails."""
    asked = call.request.headers
    match = _RANGE.match(asked.get("range", ""))
    return int(match[1]) if match and asked.get("if-range", etag) == etag else 0


def _asked(call: Call) -> tuple[StoredRelease, StoredAsset]:
    found = call.repository.asset(int(call.fields["asset"]))
    if found is None or (found[0].draft and not call.writer):
        raise Refusal(404, "Not Found")
    return found


ROUTES = (
    Route(method="GET", path=r"/releases/(?P<release>\d+)/assets", serve=_list),
    Route(method="GET", path=r"/releases/assets/(?P<asset>\d+)", serve=_get),
    Route(method="PATCH", path=r"/releases/assets/(?P<asset>\d+)", serve=_update, write=True),
    Route(method="DELETE", path=r"/releases/assets/(?P<asset>\d+)", serve=_delete, write=True),
)
UPLOAD_ROUTES = (Route(method="POST", path=r"/releases/(?P<release>\d+)/assets", serve=_upload, write=True),)
WEB_ROUTES = (
    Route(
        method="GET", path=r"/(?P<repository>[^/]+/[^/]+)/releases/download/(?P<tag>.+)/(?P<name>[^/]+)", serve=_browse
    ),
    Route(method="GET", path=r"/objects/(?P<asset>\d+)", serve=_object),
)
