"""An embedded Secret Manager: in memory, in this process, for the real client libraries.

Imports `localcloud.core` alone.

Imitated, exactly: secrets (create, get, list, update with mask, delete) and their versions (add,
get, access by number, alias or `latest` with CRC-32C, list newest first with paging and filter,
enable, disable, destroy, also delayed), etags, expiry, the limit of 64 KiB, the statuses of
refusals. Lists and `latest` may lag behind the truth by a chosen time, as the service's do; reads
by number do not.

Not imitated: regional secrets, encryption, replication beyond its description, rotation notices,
quotas, IAM policies, which the local cloud keeps, and that an alias or a change of state may take
a while to be seen by who reads by it.
"""

from localcloud.secretmanager.service import SecretManager

__all__ = ["SecretManager"]
