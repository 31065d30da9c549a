"""An embedded Pub/Sub: exact in what the relay relies on, in memory, on one event loop.

Imports `localcloud.core` alone.

Imitated: topics, subscriptions, filters, acknowledgement deadlines and redelivery, retry and
dead-letter policies, retention, snapshots, seeking, pull, streaming pull and push. `rest` has the
bindings by which `localcloud.core.transcoding` serves the methods over HTTP/1.1 too.

Refused as UNIMPLEMENTED, by name: lists and updates of snapshots, schemas, message transforms,
ingestion, exactly-once delivery, detaching, a topic's list of subscriptions, `ModifyPushConfig`.
Stored, and not acted upon: the expiry of snapshots and of subscriptions, message storage policies,
keys, BigQuery, Bigtable and Cloud Storage configs (their messages pile up). There is no ordering:
messages with an ordering key are handed out as they come, which is the order of their publication
until one is redelivered. Nothing is throttled, and waits have no jitter. A late acknowledgement,
which the service honours now and then, never counts.
"""

from localcloud.pubsub.emulator import PubSub
from localcloud.pubsub.sender import PushFailedError

__all__ = ["PubSub", "PushFailedError"]
