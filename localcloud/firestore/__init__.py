"""An embedded Firestore: in memory, in this process, for the real client libraries.

Imports `localcloud.core` alone.

Imitated, exactly: atomic commits and batches of writes with preconditions on existence and
`update_time`; updates with masks and quoted field paths; deletion of fields; server times and
increments; reads by name; queries of one collection (filters, orders, limits, cursors, projections)
and their counts; `update_time` in strictly increasing microseconds, which a write that changes
nothing leaves alone; the order of values across types; the limits on documents (1 MiB) and names;
separate named databases; deletion by time to live when asked for; and, where the indexes are given,
the refusal of queries that they do not serve.

Refused as UNIMPLEMENTED, by name: transactions, reads of the past, collection groups, listings,
partitions, sums and averages, all other transforms, vectors, pipelines, query explanation, `Listen`
and `Write` streams, and the methods that write or delete one document. Not imitated either: the
speed that indexes give (a query scans its collection), quotas and rates, security rules.
"""

from localcloud.firestore.service import Firestore

__all__ = ["Firestore"]
