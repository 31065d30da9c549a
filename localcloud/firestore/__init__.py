"""An embedded Firestore: in memory, in this process, for the real client libraries.

Imports `localcloud.core` alone.

Imitated, exactly: atomic commits with preconditions on existence and `update_time`, updates with
masks and quoted field paths, field deletion, all transforms, batches, reads by name, queries
(filters, orders, cursors, projections, collection groups) and aggregations, listing, transactions
with optimistic concurrency control, `update_time` in strictly increasing microseconds which a
write that changes nothing leaves alone, the order of values across types, the limits on documents
(1 MiB) and names, separate named databases, deletion by time to live when asked for, and, where
the indexes are given, the refusal of queries that they do not serve.

Not imitated: the speed that indexes give (a query scans its collections), the index that the sum
or average of a field needs, pessimistic locking (a transaction that loses is aborted, it does not
wait), reads of the past beyond what an open transaction holds, quotas and rates, security rules,
and `Listen`, `Write` streams, pipelines, vector search and query explanation, which are refused
as UNIMPLEMENTED.
"""

from localcloud.firestore.service import Firestore

__all__ = ["Firestore"]
