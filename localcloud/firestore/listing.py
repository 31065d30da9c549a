"""Pages of documents and of collection ids, by name."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from localcloud.core.statuses import invalid
from localcloud.firestore import names
from localcloud.firestore.messages import Document
from localcloud.firestore.reads import View
from localcloud.firestore.store import Store

MAX_PAGE = 300


def list_documents(store: Store, view: View, request: Any) -> tuple[list[Document], str]:
    """Return a page of a collection's documents, and the token of the next page.

    With `show_missing`, what is not there but has collections below it appears as a document
    without fields and times.
    """
    if request.order_by not in {"", "__name__", "__name__ asc"}:
        raise invalid(f'Documents cannot be listed in the order "{request.order_by}".')
    prefix = f"{request.parent}/{request.collection_id}/"
    documents = view.run(lambda at: list(store.documents(prefix[:-1], at)))
    found = {document.name: document for document in documents}
    if request.show_missing:
        for name in _holders(store.collections(view.read_time), prefix):
            found.setdefault(name, Document(name=name))
    page, token = _page(sorted(found, key=names.path_key), request, names.path_key)
    return [found[name] for name in page], token


def list_collection_ids(store: Store, view: View, request: Any) -> tuple[list[str], str]:
    """Return a page of the ids of the collections right below a parent, and the next token."""
    prefix = f"{request.parent}/"
    below = (name for name in store.collections(view.read_time) if name.startswith(prefix))
    ids = sorted({name[len(prefix) :].split("/")[0] for name in below})
    return _page(ids, request, str)


def _holders(collections: Iterable[str], prefix: str) -> set[str]:
    below = (name for name in collections if name.startswith(prefix))
    return {prefix + name[len(prefix) :].split("/")[0] for name in below}


def _page(ordered: Sequence[str], request: Any, key: Callable[[str], Any]) -> tuple[list[str], str]:
    """Return what follows the page token, which is the last name of the page before."""
    if request.page_size < 0:
        raise invalid("page_size cannot be negative.")
    size = min(request.page_size or MAX_PAGE, MAX_PAGE)
    start = bisect_right(ordered, key(request.page_token), key=key) if request.page_token else 0
    page = list(ordered[start : start + size])
    return page, page[-1] if start + size < len(ordered) else ""
