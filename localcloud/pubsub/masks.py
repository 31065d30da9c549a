"""Update masks: which fields of a resource a request changes."""

from collections.abc import Collection
from typing import Any

from localcloud.pubsub.errors import invalid


def merge(current: Any, change: Any, mask: Any, *, fixed: Collection[str], request: str) -> Any:
    """Return a copy of `current` with the fields that a `FieldMask` names taken from `change`.

    Raises `RpcError` (`INVALID_ARGUMENT`) where the mask is empty, or names a field that does not
    exist or is one of the `fixed` ones. `request` is the name of the request in the message.
    """
    if not mask.paths:
        raise invalid(
            f"The update_mask in the {request} must be set, and must contain a non-empty paths "
            "list."
        )
    for path in mask.paths:
        known = path.partition(".")[0] in current.DESCRIPTOR.fields_by_name
        if not known or path in fixed or not mask.IsValidForDescriptor(current.DESCRIPTOR):
            raise invalid(
                f"Invalid update_mask provided in the {request}: '{path}' is not a known or not a "
                "mutable field. Note that field paths must be of the form 'push_config' rather "
                "than 'pushConfig'."
            )
    merged = type(current)()
    merged.CopyFrom(current)
    mask.MergeMessage(change, merged, replace_message_field=True, replace_repeated_field=True)
    return merged
