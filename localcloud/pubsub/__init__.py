"""An embedded Pub/Sub: exact in what the kit relies on, in memory, on one event loop.

Imports `localcloud.core` alone.

It imitates topics, subscriptions, filters, acknowledgement deadlines and redelivery, retry and
dead-letter policies, retention and seeking to a time, pull, streaming pull and push.

It does not imitate, and says so with `UNIMPLEMENTED`: snapshots, schemas, message transforms,
ingestion, exactly-once delivery. It stores, and does not act upon: expiration policies, message
storage policies, keys, BigQuery, Bigtable and Cloud Storage configs (their messages pile up). It
knows no ordering: messages with an ordering key are handed out as they come, which is the order
of their publication until one is redelivered. Nothing is throttled, and waits have no jitter. A
lease that is over is over: a late acknowledgement, which the service honours now and then, never
counts here.
"""

from localcloud.pubsub.emulator import PubSub
from localcloud.pubsub.sender import PushFailedError

__all__ = ["PubSub", "PushFailedError"]
