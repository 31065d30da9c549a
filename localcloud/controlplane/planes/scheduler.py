"""Cloud Scheduler: jobs that run on a schedule."""

import asyncio
import base64
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

import httpx2

from localcloud.controlplane.api import ApiCall, Route
from localcloud.controlplane.errors import ApiError, invalid
from localcloud.controlplane.network import Network
from localcloud.controlplane.schedules import next_due, seconds
from localcloud.controlplane.state import State, rfc3339
from localcloud.controlplane.store import Json
from localcloud.core.clock import Clock

_PREFIX = "cloudscheduler/v1/"
_LOCATION = "projects/{project}/locations/{location}"
_JOB = f"{_LOCATION}/jobs/{{job}}"
_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")


class CloudScheduler:
    """Stores jobs, and calls their HTTP targets when they are due.

    Schedules are unix-cron; `clock` is only for them. Pub/Sub and App Engine targets are not
    imitated.
    """

    service: ClassVar[str] = "cloudscheduler.googleapis.com"
    endpoints: ClassVar[Mapping[str, str]] = {"cloud_scheduler_custom_endpoint": _PREFIX}

    def __init__(self, state: State, network: Network, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._http = httpx2.AsyncClient(transport=network, timeout=None)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._calling: set[asyncio.Task[int]] = set()

    @property
    def routes(self) -> Sequence[Route]:
        """The calls of this API."""
        return [
            Route("POST", f"{_PREFIX}{_JOB}:pause", self._pause),
            Route("POST", f"{_PREFIX}{_JOB}:resume", self._resume),
            Route("POST", f"{_PREFIX}{_JOB}:run", self._run),
            Route("POST", f"{_PREFIX}{_LOCATION}/jobs", self._create),
            Route("GET", f"{_PREFIX}{_LOCATION}/jobs", self._list),
            Route("GET", _PREFIX + _JOB, self._get),
            Route("PATCH", _PREFIX + _JOB, self._patch),
            Route("DELETE", _PREFIX + _JOB, self._delete),
        ]

    async def fire(self, name: str) -> int:
        """Run a job once, with its retries; return the last status, 0 if there was no answer."""
        job = self._state.resources.get(name)
        retry = job["retryConfig"]
        pause = seconds(retry["minBackoffDuration"])
        status = await self._try(job)
        for _ in range(int(retry.get("retryCount", 0))):
            if 200 <= status < 300:
                break
            await self._clock.sleep(pause)
            pause = min(pause * 2, seconds(retry["maxBackoffDuration"]))
            status = await self._try(job)
        if name in self._state.resources:
            self._record(name, status)
        return status

    async def idle(self) -> None:
        """Return once no job is calling its target."""
        while self._calling:
            await asyncio.gather(*self._calling, return_exceptions=True)

    async def close(self) -> None:
        """Stop every job."""
        tasks = [*self._tasks.values(), *self._calling]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    def _name(self, call: ApiCall) -> str:
        return self._state.project.by_id(_JOB.format(**call.names))

    async def _create(self, call: ApiCall) -> Json:
        location = self._state.project.by_id(_LOCATION.format(**call.names))
        name = call.body.get("name", "")
        short = name.rpartition("/")[2]
        if not _ID.fullmatch(short):
            raise invalid(f"Job name {name!r} is invalid.")
        name = f"{location}/jobs/{short}"
        job = self._prepare(call, {**call.body, "name": name, "state": "ENABLED"})
        created = self._state.resources.create(name, job)
        self._start(name)
        return created

    async def _list(self, call: ApiCall) -> Json:
        location = self._state.project.by_id(_LOCATION.format(**call.names))
        return {"jobs": self._state.resources.under(f"{location}/jobs/")}

    async def _get(self, call: ApiCall) -> Json:
        return self._state.resources.get(self._name(call))

    async def _patch(self, call: ApiCall) -> Json:
        name = self._name(call)
        changes = {key: value for key, value in call.body.items() if key not in {"name", "state"}}
        before = self._state.resources.get(name)
        changed = self._prepare(call, {**before, **changes})
        self._state.resources.put(name, changed)
        self._start(name)
        return changed

    async def _delete(self, call: ApiCall) -> Json:
        name = self._name(call)
        self._state.resources.delete(name)
        self._stop(name)
        return {}

    async def _pause(self, call: ApiCall) -> Json:
        name = self._name(call)
        self._stop(name)
        return self._state.resources.patch(name, {"state": "PAUSED"})

    async def _resume(self, call: ApiCall) -> Json:
        name = self._name(call)
        resumed = self._state.resources.patch(name, {"state": "ENABLED"})
        self._start(name)
        return resumed

    async def _run(self, call: ApiCall) -> Json:
        name = self._name(call)
        await self.fire(name)
        return self._state.resources.get(name)

    def _prepare(self, call: ApiCall, job: Json) -> Json:
        target = job.get("httpTarget")
        if target is None:
            raise ApiError("UNIMPLEMENTED", "The local cloud imitates HTTP targets only")
        if not str(target.get("uri", "")).startswith(("http://", "https://")):
            raise invalid("Field httpTarget.uri must be an http or https URL.")
        account = target.get("oidcToken", {}).get("serviceAccountEmail")
        if account and f"{self._state.root}/serviceAccounts/{account}" not in self._state.resources:
            raise ApiError("NOT_FOUND", f"Service account {account} was not found.")
        if account:
            self._state.check_may_act_as(call.identity, account)
        following = next_due(job, self._clock.time())
        return {
            "attemptDeadline": "180s",
            "timeZone": "Etc/UTC",
            **job,
            "retryConfig": {**_RETRIES, **job.get("retryConfig", {})},
            "userUpdateTime": self._state.timestamp(),
            "scheduleTime": rfc3339(following),
            "httpTarget": {"httpMethod": "POST", **target},
        }

    def _start(self, name: str) -> None:
        self._stop(name)
        if self._state.resources.get(name)["state"] == "ENABLED":
            self._tasks[name] = asyncio.create_task(self._keep(name))

    def _stop(self, name: str) -> None:
        if task := self._tasks.pop(name, None):
            task.cancel()

    async def _keep(self, name: str) -> None:
        while True:
            due = next_due(self._state.resources.get(name), self._clock.time())
            self._state.resources.patch(name, {"scheduleTime": rfc3339(due)})
            await self._clock.sleep(due - self._clock.time())
            await self.fire(name)

    async def _try(self, job: Json) -> int:
        calling = asyncio.create_task(self._attempt(job))
        self._calling.add(calling)
        try:
            # Pausing or deleting a job does not cancel an attempt under way.
            return await asyncio.shield(calling)
        finally:
            if calling.done():
                self._calling.discard(calling)
            else:
                calling.add_done_callback(self._calling.discard)

    async def _attempt(self, job: Json) -> int:
        target = job["httpTarget"]
        short = job["name"].rpartition("/")[2]
        headers = {
            "user-agent": "Google-Cloud-Scheduler",
            "x-cloudscheduler": "true",
            "x-cloudscheduler-jobname": short,
            "x-cloudscheduler-scheduletime": job["scheduleTime"],
            **{key.lower(): value for key, value in target.get("headers", {}).items()},
        }
        token = self._token(target)
        if token is None:
            return 403
        if token:
            headers["authorization"] = f"Bearer {token}"
        try:
            async with asyncio.timeout(seconds(job["attemptDeadline"])):
                answer = await self._http.request(
                    target["httpMethod"],
                    target["uri"],
                    headers=headers,
                    content=base64.b64decode(target.get("body", "")),
                )
        except (TimeoutError, httpx2.HTTPError):
            return 0
        return answer.status_code

    def _token(self, target: Json) -> str | None:
        """Return the target's identity token: empty if it needs none, None if it is refused."""
        wanted = target.get("oidcToken")
        if not wanted:
            return ""
        email = wanted["serviceAccountEmail"]
        account = f"{self._state.root}/serviceAccounts/{email}"
        agent = self._state.agent(self.service)
        if not self._state.policies.allows(agent, "iam.serviceAccounts.getOpenIdToken", account):
            return None
        audience = wanted.get("audience") or target["uri"]
        return self._state.issuer.identity_token(email, audience)

    def _record(self, name: str, status: int) -> None:
        outcome = {} if 200 <= status < 300 else {"code": _RPC.get(status, 2)}
        now = self._state.timestamp()
        self._state.resources.patch(name, {"lastAttemptTime": now, "status": outcome})


_RETRIES: Json = {
    "maxRetryDuration": "0s",
    "minBackoffDuration": "5s",
    "maxBackoffDuration": "3600s",
    "maxDoublings": 5,
}

# https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs: google.rpc.Code
_RPC = {0: 4, 400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 500: 13, 503: 14, 504: 4}
