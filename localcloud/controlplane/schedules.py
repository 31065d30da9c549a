"""When a job of Cloud Scheduler is due.

https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules
"""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from localcloud.controlplane.errors import invalid
from localcloud.controlplane.store import Json

_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def seconds(duration: str) -> float:
    """Return a duration such as `1.5s` in seconds; `ApiError` if it is none."""
    match = _DURATION.fullmatch(duration)
    if not match:
        raise invalid(f"The duration {duration!r} is invalid.")
    return float(match[1])


def next_due(job: Json, now: float) -> float:
    """Return when a job is due next, in Unix seconds after `now`."""
    try:
        zone = ZoneInfo(job.get("timeZone", "Etc/UTC"))
        moment = datetime.fromtimestamp(now, UTC).astimezone(zone)
        return next(CronSim(job.get("schedule", ""), moment)).timestamp()
    except ZoneInfoNotFoundError as error:
        raise invalid(f"The time zone {job['timeZone']!r} is unknown.") from error
    except CronSimError as error:
        raise invalid(f"The schedule {job.get('schedule')!r} is invalid: {error}.") from error
