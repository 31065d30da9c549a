"""Writes the table of event types in `docs/subscribing.md`, from `schemas/`.

Run it as `make tables` after a change of a schema. The rest of the page is its own.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.gemini.catalogue import SCHEMAS

PAGE = Path(__file__).resolve().parent / "subscribing.md"
_BEGIN = "<!-- Generated from schemas/ by `make tables`: begin -->\n"
_END = "<!-- end -->\n"


def render(page: str) -> str:
    """Return the page with the schemas' table between its two marks.

    Raises:
        ValueError: The page lacks a mark.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the marks of the table")
    return before + begin + "\n" + "\n".join(_rows()) + "\n\n" + end + after


def main() -> None:
    """Write the page, or with `--check` say whether it is current."""
    current = PAGE.read_text("utf-8")
    rendered = render(current)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(rendered, "utf-8")
    elif rendered != current:
        sys.exit(f"{PAGE} is out of date: run `make tables`")


def _rows() -> Iterator[str]:
    yield "| `ce-type` | when | fields of `data` | can be subscribed to |"
    yield "|---|---|---|---|"
    for name, schema in SCHEMAS.items():
        link = f"[`{name}`](../schemas/{name}.json)"
        fields = "<br>".join(_fields(schema["properties"]["data"]))
        offered = "yes" if schema["x-subscribable"] else "no"
        yield f"| {link} | {schema['description']} | {fields} | {offered} |"


def _fields(data: Mapping[str, Any]) -> Iterator[str]:
    for name, field in data["properties"].items():
        if name != "user_metadata":
            always = name in data.get("required", ())
            yield f"`{name}`{'' if always else ' (optional)'}: {field['description']}"


if __name__ == "__main__":
    main()
