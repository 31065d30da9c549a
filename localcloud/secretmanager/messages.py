"""The protobuf messages of `google.cloud.secretmanager.v1`, raw, as the client library ships them.

To the type checker they are messages of their own names whose fields it does not know.
"""

from typing import TYPE_CHECKING

from localcloud.core.raw import Empty, Message, Timestamp

if TYPE_CHECKING:
    from localcloud.core.raw import RawMessage

    class Secret(RawMessage):
        """A secret: a name and how its versions are kept."""

    class SecretPayload(RawMessage):
        """What is kept secret, and its CRC-32C."""

    class SecretVersion(RawMessage):
        """A version: its number and state, without its payload."""

else:
    from google.cloud.secretmanager_v1.types import resources

    Secret = resources.Secret.pb()
    SecretPayload = resources.SecretPayload.pb()
    SecretVersion = resources.SecretVersion.pb()

__all__ = ["Empty", "Message", "Secret", "SecretPayload", "SecretVersion", "Timestamp"]
