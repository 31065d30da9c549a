"""An embedded Secret Manager: in memory, in this process, for the real client libraries.

Imports `localcloud.core` alone.

Imitated, exactly: secrets (create, get, list, update with mask, delete) and their versions (add,
get, access by number or `latest` with CRC-32C, list newest first with paging and by state, enable,
disable, destroy), etags, the limit of 64 KiB, the statuses of refusals. Lists and `latest` may lag
behind the truth by a chosen time, as the service's do; reads by number do not.

Refused as UNIMPLEMENTED, by name: aliases, expiry, delayed destruction, other filters. Not imitated
either: regional secrets, encryption, replication beyond its description, rotation notices, quotas,
and IAM policies, which the local cloud keeps.
"""

from localcloud.secretmanager.service import SecretManager

__all__ = ["SecretManager"]
