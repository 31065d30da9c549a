"""Google Cloud's delays, refusals and altered replies that a deployment must cope with.

Each is a field of `Realism`, with its source, and can be switched off by itself.
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
    """How long an API answers 403 `SERVICE_DISABLED` after it is enabled.

    "Service activation is not guaranteed by the time the resource is done":
    https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_project_service
    and https://github.com/hashicorp/terraform-provider-google/issues/11020
    """

    agent_creation_seconds: float = _MINUTE
    """How long after its API is enabled a service agent does not exist; grants to it answer 400.

    `generateServiceIdentity` creates one at once:
    https://cloud.google.com/iam/docs/create-service-agents
    """

    grant_propagation_seconds: float = 2 * _MINUTE
    """How long a changed policy does not count, `run.invoker` included; reads show it at once.

    "Typically 2 minutes, potentially 7 minutes or longer":
    https://cloud.google.com/iam/docs/access-change-propagation
    """

    database_visibility_seconds: float = 0.0
    """How long a new named Firestore database answers 404 to a read, which happens rarely.

    https://github.com/hashicorp/terraform-provider-google/issues/22533. No configuration avoids the
    failed apply, so the default is off; the test of the recovery sets it.
    """

    database_name_seconds: float = 5 * _MINUTE
    """How long the name of a deleted Firestore database stays taken.

    https://cloud.google.com/firestore/docs/manage-databases#delete_a_database
    """

    role_restorable_seconds: float = 0.0
    """How long a deleted custom role can be undeleted, as the provider does: 7 days at Google.

    The default is the worst case: a deployment that is applied again more than a week later.
    https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/google_project_iam_custom_role
    """

    role_id_blocked_seconds: float = 37 * _DAY
    """How long the id of a deleted custom role is blocked.

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

    operations_are_asked_for: bool = True
    """Whether a long-running call answers before it is done, so that its caller must ask for it.

    Asking needs a right, such as `serviceusage.operations.get`, which Service Usage Admin alone
    holds: https://google.aip.dev/151 and https://cloud.google.com/service-usage/docs/access-control
    """

    repository_granted_by_itself: bool = True
    """Whether the functions' agent reads a repository only by a grant on that.

    Its role on the project, which would do, may not count yet at the first deployment:
    https://github.com/Liscor/terraform_cloud_run_sgtm/issues/3 and
    https://github.com/onmyway133/notes/issues/683
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
    operations_are_asked_for=False,
    repository_granted_by_itself=False,
    keys_for_every_agent=False,
)
"""None of these delays and refusals."""


def only(**behaviours: object) -> Realism:
    """Return `LENIENT` with the named fields changed."""
    return dataclasses.replace(LENIENT, **behaviours)  # type: ignore[arg-type]


class Agenda:
    """Actions to be done later: `catch_up` does those that are due, and nothing waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._later: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Schedule an action in that many seconds; do it at once for 0."""
        if seconds <= 0:
            action()
        else:
            heapq.heappush(self._later, (self._clock.time() + seconds, next(self._order), action))

    def catch_up(self) -> None:
        """Do every action that is due, in the order of their times."""
        while self._later and self._later[0][0] <= self._clock.time():
            heapq.heappop(self._later)[2]()
