"""Where Google Cloud is slow, refuses, or answers differently from what one asked for.

Each behaviour that a deployment must cope with is a field of `Realism`, with its source, and can be
switched off by itself.
"""

import dataclasses
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.core.clock import Clock

_MINUTE, _DAY = 60.0, 86_400.0


@dataclass(frozen=True, kw_only=True)
class Realism:
    """Delays and refusals of Google Cloud; delays in seconds as Google takes them, 0 for none.

    `rate` says how many times as fast as the local cloud's clock these delays pass, so that a test
    need not wait for minutes. The defaults are Google's behaviour; `LENIENT` has none of it.
    """

    rate: float = 1.0

    service_activation_seconds: float = _MINUTE
    """Until an API that was just enabled stops to answer 403 `SERVICE_DISABLED`.

    "Service activation is not guaranteed by the time the resource is done":
    https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_project_service
    and https://github.com/hashicorp/terraform-provider-google/issues/11020
    """

    agent_creation_seconds: float = _MINUTE
    """Until an enabled API's service agent exists; before, a grant to it is refused with 400.

    `services:generateServiceIdentity` makes one at once:
    https://cloud.google.com/iam/docs/create-service-agents
    """

    grant_propagation_seconds: float = 2 * _MINUTE
    """Until a changed policy counts, `run.invoker` included; reading it shows the change at once.

    "Typically 2 minutes, potentially 7 minutes or longer":
    https://cloud.google.com/iam/docs/access-change-propagation
    """

    database_visibility_seconds: float = 0.0
    """How long a new named Firestore database answers 404 to a read; it does so now and then only.

    https://github.com/hashicorp/terraform-provider-google/issues/22533. No configuration can avoid
    the failed apply, so this is off even by default; a test of the way out of it sets it.
    """

    database_name_seconds: float = 5 * _MINUTE
    """Until the name of a deleted Firestore database is free.

    https://cloud.google.com/firestore/docs/manage-databases#delete_a_database
    """

    role_restorable_seconds: float = 0.0
    """How long a deleted custom role can be undeleted: 7 days at Google, which a provider uses.

    The default is the bad case, in which a deployment is made again a week later.
    """

    role_id_blocked_seconds: float = 37 * _DAY
    """How long no new custom role can have the id of a deleted one.

    https://cloud.google.com/iam/docs/creating-custom-roles#deleting-custom-role and
    https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_project_iam_custom_role
    """

    dashboards_omit_zeros: bool = True
    """Whether the dashboards API leaves an `xPos` or `yPos` of 0 out of its replies.

    https://github.com/GoogleCloudPlatform/magic-modules/pull/18515
    """

    storage_duration_within_deadline: bool = True
    """Whether a Cloud Storage subscription's `max_duration` may not exceed its ack deadline.

    https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#CloudStorageConfig
    """

    cpu_quota: float | None = 20.0
    """How many vCPU a function's `max_instances` may add up to in a region; None for no bound.

    New projects have 20: https://cloud.google.com/run/quotas and
    https://github.com/googlecodelabs/feedback/issues/1856
    """

    callers_need_permissions: bool = True
    """Whether a REST call needs the permissions that it needs at Google, not just a known caller.

    An owner has them all. https://cloud.google.com/iam/docs/permissions-reference; creating what
    runs as a service account needs `iam.serviceAccounts.actAs` on that, and an alert on a log match
    needs `logging.notificationRules.*`, which Monitoring Editor lacks.
    """

    keys_for_every_agent: bool = True
    """Whether a function with a key needs it granted to all five agents that handle its parts.

    https://cloud.google.com/functions/docs/securing/cmek
    """


LENIENT = Realism(
    service_activation_seconds=0.0,
    agent_creation_seconds=0.0,
    grant_propagation_seconds=0.0,
    database_name_seconds=0.0,
    role_restorable_seconds=37 * _DAY,
    dashboards_omit_zeros=False,
    storage_duration_within_deadline=False,
    cpu_quota=None,
    callers_need_permissions=False,
    keys_for_every_agent=False,
)
"""Everything takes effect at once, and nothing is refused that could be taken."""


def only(**behaviours: object) -> Realism:
    """Return `LENIENT` but for the behaviours that are named."""
    return dataclasses.replace(LENIENT, **behaviours)  # type: ignore[arg-type]


class Agenda:
    """What is to happen later, done as soon as somebody looks: `clock` is never waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._later: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have an action done once that many seconds have passed; at once if that is none."""
        if seconds <= 0:
            action()
        else:
            heapq.heappush(self._later, (self._clock.time() + seconds, next(self._order), action))

    def catch_up(self) -> None:
        """Do what is due, in the order of its times."""
        while self._later and self._later[0][0] <= self._clock.time():
            heapq.heappop(self._later)[2]()
