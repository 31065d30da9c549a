"""Cloud Storage's JSON API: buckets, objects, and the policies of buckets."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

from starlette.responses import JSONResponse, Response

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.encryption import check_key
from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.state import State
from localcloud.controlplane.store import Json
from localcloud.storage import Objects, Request, Uploads
from localcloud.storage.objects import Refused

_BUCKET = re.compile(r"[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]")

Handler = Callable[[ApiCall], Awaitable[Json | Response]]


class Storage:
    """Stores buckets and objects in memory. Versions, holds and retention are not imitated."""

    service: ClassVar[str] = "storage.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"storage_custom_endpoint": "storage/v1/"}

    def __init__(self, state: State) -> None:
        self._state = state
        self.objects = Objects(state.clock)
        self._uploads = Uploads(self.objects)

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
            Route("POST", f"upload/{bucket}/o", _told(self._upload)),
            Route("PUT", f"upload/{bucket}/o", _told(self._upload)),
            Route("DELETE", f"upload/{bucket}/o", _told(self._cancel_upload)),
            Route("GET", f"{bucket}/o", self._list_objects),
            Route("GET", f"{bucket}/o/{{object*}}", _told(self._get_object)),
            Route("PATCH", f"{bucket}/o/{{object*}}", _told(self._patch_object)),
            Route("DELETE", f"{bucket}/o/{{object*}}", _told(self._delete_object)),
        ]

    def read(self, identity: str, bucket: str, name: str) -> bytes:
        """Return an object's content to a member that may read it."""
        self._admit(identity, "get", f"{_bucket(bucket)}/objects/{name}")
        try:
            return self.objects.get(bucket, name).content
        except Refused as refused:
            raise ApiError("NOT_FOUND", str(refused)) from refused

    def _admit(self, identity: str, verb: str, resource: str) -> None:
        # Whatever else the local cloud overlooks: functions reach objects as themselves.
        permission = f"storage.objects.{verb}"
        if not self._state.policies.allows(identity, permission, resource):
            raise ApiError(
                "PERMISSION_DENIED",
                f"{identity.partition(':')[2]} does not have {permission} access to the "
                f"Google Cloud Storage object. Permission '{permission}' denied on resource "
                "(or it may not exist).",
            )

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
        bucket = self._bucket(call)["name"]
        name = _bucket(bucket)
        if self.objects.list(bucket)["items"]:
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

    async def _upload(self, call: ApiCall) -> Response:
        if "upload_id" not in call.query:
            self._admit(call.identity, "create", _bucket(call.names["bucket"]))
        answer = self._uploads.answer(self._request(call))
        if upload := answer.headers.get("x-guploader-uploadid"):
            # Whoever knows a session's URI may continue it.
            self._state.access_tokens[upload] = call.identity
        return answer

    async def _cancel_upload(self, call: ApiCall) -> Response:
        return self._uploads.cancel(self._request(call))

    def _request(self, call: ApiCall) -> Request:
        return Request(
            bucket=self._bucket(call)["name"],
            query=call.query,
            headers=call.headers,
            content=call.content,
            origin=f"http://{call.headers['host']}",
        )

    async def _list_objects(self, call: ApiCall) -> Json:
        self._admit(call.identity, "list", _bucket(call.names["bucket"]))
        return self.objects.list(self._bucket(call)["name"], call.query.get("prefix", ""))

    async def _get_object(self, call: ApiCall) -> Json | Response:
        bucket = self._bucket(call)["name"]
        content = self.read(call.identity, bucket, call.names["object"])
        if call.query.get("alt") == "media":
            return Response(content, media_type="application/octet-stream")
        return self.objects.get(bucket, call.names["object"]).resource

    async def _patch_object(self, call: ApiCall) -> Json:
        self._admit(call.identity, "update", self._object(call))
        return self.objects.patch(call.names["bucket"], call.names["object"], call.body)

    async def _delete_object(self, call: ApiCall) -> Response:
        self._admit(call.identity, "delete", self._object(call))
        self.objects.delete(call.names["bucket"], call.names["object"])
        return Response(status_code=204)

    @staticmethod
    def _object(call: ApiCall) -> str:
        return f"{_bucket(call.names['bucket'])}/objects/{call.names['object']}"


def _told(handle: Handler) -> Handler:
    """Return a handler that answers a refusal as Cloud Storage words it."""

    async def answer(call: ApiCall) -> Json | Response:
        try:
            return await handle(call)
        except Refused as refused:
            return JSONResponse(refused.body(), refused.status)

    return answer


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
