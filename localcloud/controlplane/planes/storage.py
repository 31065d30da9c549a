"""Cloud Storage's JSON API: buckets, objects, and the policies of buckets."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from starlette.responses import Response

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.encryption import check_key
from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json

_BUCKET = re.compile(r"[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]")
_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_CONTENT_TYPE = re.compile(rb"content-type: *(\S+)", re.IGNORECASE)


class Storage:
    """Stores buckets and objects in memory. Versions, holds and retention are not imitated."""

    service: ClassVar[str] = "storage.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"storage_custom_endpoint": "storage/v1/"}

    def __init__(self, state: State) -> None:
        self._state = state
        self._contents: dict[str, bytes] = {}
        self._generation = 0

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        bucket = "storage/v1/b/{bucket}"
        return [
            Route("GET", "storage/v1/projects/{project}/serviceAccount", self._service_account),
            Route("POST", "storage/v1/b", self._create_bucket),
            Route("GET", bucket, self._get_bucket),
            Route("PATCH", bucket, self._patch_bucket),
            Route("PUT", bucket, self._patch_bucket),
            Route("DELETE", bucket, self._delete_bucket),
            Route("GET", f"{bucket}/anywhereCaches", self._list_caches),
            Route("GET", f"{bucket}/iam", self._get_policy),
            Route("PUT", f"{bucket}/iam", self._set_policy),
            Route("POST", "upload/storage/v1/b/{bucket}/o", self._upload),
            Route("GET", f"{bucket}/o", self._list_objects),
            Route("GET", f"{bucket}/o/{{object*}}", self._get_object),
            Route("PATCH", f"{bucket}/o/{{object*}}", self._patch_object),
            Route("DELETE", f"{bucket}/o/{{object*}}", self._delete_object),
        ]

    def read(self, identity: str, bucket: str, name: str) -> bytes:
        """Return an object's content to a member that may read it."""
        found = f"{_bucket(bucket)}/objects/{name}"
        if not self._state.policies.allows(identity, "storage.objects.get", found):
            raise ApiError(
                "PERMISSION_DENIED",
                f"{identity.partition(':')[2]} does not have storage.objects.get access to the "
                "Google Cloud Storage object. Permission 'storage.objects.get' denied on resource "
                "(or it may not exist).",
            )
        if found not in self._contents:
            raise ApiError("NOT_FOUND", f"No such object: {bucket}/{name}")
        return self._contents[found]

    async def _service_account(self, _call: ApiCall) -> Json:
        # Asking for it makes it: https://cloud.google.com/storage/docs/getting-service-agent
        self._state.create_agents(self.service)
        email = self._state.agent(self.service).partition(":")[2]
        return {"kind": "storage#serviceAccount", "email_address": email}

    async def _create_bucket(self, call: ApiCall) -> Json:
        given = call.body
        name = given.get("name", "")
        if not _BUCKET.fullmatch(name) or "goog" in name[:4]:
            raise invalid(f"Invalid bucket name: '{name}'")
        if _bucket(name) in self._state.resources:
            raise ApiError(
                "ALREADY_EXISTS",
                "Your previous request to create the named bucket "
                "succeeded and you already own it.",
            )
        key = given.get("encryption", {}).get("defaultKmsKeyName")
        check_key(self._state, key, self._state.agent(self.service) if key else "")
        now = self._state.timestamp()
        bucket = {
            "kind": "storage#bucket",
            "storageClass": "STANDARD",
            "locationType": "region",
            "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": now},
            **given,
            "location": given.get("location", "US").upper(),
            "id": name,
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
            "projectNumber": self._state.project.number,
            "timeCreated": now,
            "updated": now,
            "metageneration": "1",
            "etag": "CAE=",
        }
        self._state.policies.begin(_bucket(name), _first_policy(self._state.project.id))
        return self._state.resources.create(_bucket(name), bucket)

    async def _get_bucket(self, call: ApiCall) -> Json:
        return self._bucket(call)

    async def _patch_bucket(self, call: ApiCall) -> Json:
        bucket = self._bucket(call)
        changes = call.changes
        cleared = {key: None for key, value in changes.items() if value is None}
        merged = {**bucket, **changes, "updated": self._state.timestamp()}
        kept = {key: value for key, value in merged.items() if key not in cleared}
        kept["metageneration"] = str(int(bucket["metageneration"]) + 1)
        return self._state.resources.put(_bucket(bucket["name"]), kept)

    async def _delete_bucket(self, call: ApiCall) -> Response:
        name = _bucket(self._bucket(call)["name"])
        if any(held.startswith(f"{name}/objects/") for held in self._contents):
            raise ApiError("ALREADY_EXISTS", "The bucket you tried to delete is not empty.")
        self._state.resources.delete(name)
        self._state.policies.delete(name)
        return Response(status_code=204)

    def _bucket(self, call: ApiCall) -> Json:
        name = _bucket(call.names["bucket"])
        if name not in self._state.resources:
            raise ApiError("NOT_FOUND", "The specified bucket does not exist.")
        return self._state.resources.get(name)

    async def _list_caches(self, call: ApiCall) -> Json:
        """There is none: nothing here makes a cache, and the provider asks before it deletes."""
        self._bucket(call)
        return {"kind": "storage#anywhereCaches", "items": []}

    async def _get_policy(self, call: ApiCall) -> Json:
        name = self._bucket(call)["name"]
        policy = self._state.policies.get(_bucket(name))
        return {"kind": "storage#policy", "resourceId": _bucket(name), **policy}

    async def _set_policy(self, call: ApiCall) -> Json:
        name = self._bucket(call)["name"]
        policy = self._state.policies.set(_bucket(name), call.body)
        return {"kind": "storage#policy", "resourceId": _bucket(name), **policy}

    async def _upload(self, call: ApiCall) -> Json:
        bucket = self._bucket(call)["name"]
        if call.query.get("uploadType") != "multipart":
            raise ApiError("UNIMPLEMENTED", "The local cloud takes multipart uploads only")
        metadata, content, kind = _multipart(call.headers.get("content-type", ""), call.content)
        name = call.query.get("name") or metadata.get("name", "")
        if not name:
            raise invalid("Required parameter: name")
        return self._store(bucket, name, {"contentType": kind, **metadata}, content)

    def _store(self, bucket: str, name: str, metadata: Json, content: bytes) -> Json:
        found = f"{_bucket(bucket)}/objects/{name}"
        self._generation += 1
        generation = str(int(self._state.clock.time() * 1e6) + self._generation)
        now = self._state.timestamp()
        self._contents[found] = content
        link = f"https://www.googleapis.com/storage/v1/b/{bucket}/o/{name}"
        return self._state.resources.put(
            found,
            {
                **metadata,
                "kind": "storage#object",
                "id": f"{bucket}/{name}/{generation}",
                "selfLink": link,
                "mediaLink": f"{link}?alt=media",
                "name": name,
                "bucket": bucket,
                "generation": generation,
                "metageneration": "1",
                "storageClass": "STANDARD",
                "size": str(len(content)),
                "md5Hash": base64.b64encode(
                    hashlib.md5(content, usedforsecurity=False).digest()
                ).decode(),
                "timeCreated": now,
                "updated": now,
                "etag": "CAE=",
            },
        )

    async def _list_objects(self, call: ApiCall) -> Json:
        prefix = f"{_bucket(self._bucket(call)['name'])}/objects/"
        wanted = prefix + call.query.get("prefix", "")
        names = [name for name in sorted(self._contents) if name.startswith(wanted)]
        return {
            "kind": "storage#objects",
            "items": [self._state.resources.get(name) for name in names],
        }

    async def _get_object(self, call: ApiCall) -> Json | Response:
        bucket = self._bucket(call)["name"]
        content = self.read(call.identity, bucket, call.names["object"])
        if call.query.get("alt") == "media":
            return Response(content, media_type="application/octet-stream")
        return self._state.resources.get(self._object(call))

    async def _patch_object(self, call: ApiCall) -> Json:
        return self._state.resources.patch(self._object(call), call.body)

    async def _delete_object(self, call: ApiCall) -> Response:
        name = self._object(call)
        self._state.resources.delete(name)
        del self._contents[name]
        return Response(status_code=204)

    def _object(self, call: ApiCall) -> str:
        name = f"{_bucket(call.names['bucket'])}/objects/{call.names['object']}"
        if name not in self._contents:
            raise ApiError("NOT_FOUND", f"No such object: {call.names['object']}")
        return name


def _bucket(name: str) -> str:
    return f"projects/_/buckets/{name}"


def _first_policy(project: str) -> Json:
    # https://cloud.google.com/storage/docs/access-control/iam-roles#basic-roles-intrinsic
    owners = [f"projectEditor:{project}", f"projectOwner:{project}"]
    return {
        "bindings": [
            {"role": "roles/storage.legacyBucketOwner", "members": owners},
            {"role": "roles/storage.legacyBucketReader", "members": [f"projectViewer:{project}"]},
        ]
    }


def _multipart(content_type: str, body: bytes) -> tuple[Json, bytes, str]:
    match = _BOUNDARY.search(content_type)
    parts = body.split(b"--" + match[1].encode())[1:-1] if match else []
    if len(parts) != 2:
        raise invalid("A multipart upload has two parts: metadata and content.")
    (_, metadata), (headers, content) = (
        part.removesuffix(b"\r\n").split(b"\r\n\r\n", 1) for part in parts
    )
    kind = _CONTENT_TYPE.search(headers)
    return json.loads(metadata), content, kind[1].decode() if kind else "application/octet-stream"
