"""The table of event types in `docs/subscribing.md`, from `schemas/`.

`python -m tests.catalogue.table` writes it anew; `make tables` does so too.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.gemini.catalogue import SCHEMAS

PAGE = Path(__file__).parents[2] / "docs" / "subscribing.md"
_BEGIN = "<!-- Generated from schemas/ by `make tables`: begin -->\n"
_END = "<!-- end -->\n"


def rows() -> Iterator[str]:
    """Yield the table's lines."""
    yield "| `ce-type` | when | fields of `data` | can be subscribed to |"
    yield "|---|---|---|---|"
    for name, schema in SCHEMAS.items():
        link = f"[`{name}`](../schemas/{name}.json)"
        fields = "<br>".join(_fields(schema["properties"]["data"]))
        offered = "yes" if schema["x-subscribable"] else "no"
        yield f"| {link} | {schema['description']} | {fields} | {offered} |"


def replaced(page: str) -> str:
    """Return a page with the table as it should be."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return before + _BEGIN + "\n" + "\n".join(rows()) + "\n\n" + _END + after


def _fields(data: Mapping[str, Any]) -> Iterator[str]:
    for name, field in data["properties"].items():
        if name != "user_metadata":
            always = name in data.get("required", ())
            yield f"`{name}`{'' if always else ' (optional)'}: {field['description']}"


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text("utf-8")), "utf-8")
