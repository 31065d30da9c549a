"""An embedded Cloud Storage: objects in memory, and the JSON API's ways to upload them.

Imports `localcloud.core` alone.

Imitated, exactly: `media`, `multipart` and resumable uploads (chunks, their status, cancelling,
sessions that need no credentials), `ifGenerationMatch`, which counts when an upload is complete and
not when it begins, checksums (CRC-32C, MD5), reading and listing. Not imitated: versions, holds,
retention, encryption, the XML API. Buckets and policies are the local cloud's.
"""

from localcloud.storage.app import application
from localcloud.storage.objects import Objects
from localcloud.storage.uploads import Request, Uploads

__all__ = ["Objects", "Request", "Uploads", "application"]
