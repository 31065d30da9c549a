"""A simulator of the Gemini API's webhooks, with the jobs whose end they announce.

Imports `localcloud.core` alone.

It imitates WebhookService with its signing secrets and paging, deliveries in every scheme with
retries, disabled endpoints and the published keys, the states, lookups, streams and events of
interactions, batches and videos, and files with uploads, downloads and expiry, at `/v1` and
`/v1beta`. Under `/control` it accepts what Gemini has no call for: the end of a job and the fate of
its webhook, files, forged and repeated deliveries, faults of calls, streams and downloads, and
reports of deliveries.

It does not imitate models (an output is what a control call says), quotas, and the consistency of
Gemini's lists, which are exact here. What Google does not publish is a setting. Its answers to
calls that the documentation leaves open are guesses: an answer to `requires_action` starts an
interaction of its own, must answer all function calls or none, and leaves the one that asked as it
is.
"""

from localcloud.gemini.app import Gemini
from localcloud.gemini.settings import Scheme, Settings

__all__ = ["Gemini", "Scheme", "Settings"]
