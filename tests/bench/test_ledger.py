"""The documents of a filled ledger are like the dispatcher's."""

from datetime import UTC, datetime

from google.cloud.firestore_v1.types import firestore as api

from bench import ledger
from bench.events import prepare
from bench.parties import PROJECT
from localcloud.core.clock import ManualClock
from localcloud.firestore import Firestore
from relay.dispatcher.claims import DONE

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)


def test_a_document_has_the_fields_that_the_dispatcher_writes() -> None:
    [document] = ledger.documents(1, NOW)
    item = prepare(1, NOW)
    assert set(document.fields) == set(item.fields)
    assert set(item.ended) <= set(item.fields)
    assert document.fields["state"].string_value == DONE


def test_each_document_has_its_own_name_in_the_ledger() -> None:
    names = [document.name for document in ledger.documents(50, NOW)]
    assert len(set(names)) == 50
    root = f"projects/{PROJECT}/databases/(default)/documents/deliveries/"
    assert all(name.startswith(root) for name in names)


async def test_a_loaded_document_can_be_read() -> None:
    firestore = Firestore(ManualClock())
    firestore.load(ledger.documents(10, NOW))
    methods = firestore.services["google.firestore.v1.Firestore"]
    [*_, last] = ledger.documents(10, NOW)
    request = api.GetDocumentRequest.pb()(name=last.name)
    found = await methods["GetDocument"].handler(request)
    assert found == last
