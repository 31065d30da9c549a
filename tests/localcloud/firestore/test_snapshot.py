"""Documents survive in a JSON document."""

import json

from localcloud.core.clock import ManualClock
from localcloud.firestore import Firestore
from tests.localcloud.firestore.conftest import Invoke, invoker
from tests.support.firestore_messages import DATABASE


async def test_documents_of_every_database_survive_with_their_times(
    emulator: Firestore, invoke: Invoke, clock: ManualClock
) -> None:
    databases = (DATABASE, "projects/p/databases/other")
    for database in databases:
        update = {"name": f"{database}/documents/c/a", "fields": {"n": {"integer_value": 1}}}
        await invoke("Commit", database=database, writes=[{"update": update}])
    names = [f"{database}/documents/c/a" for database in databases]

    successor = Firestore(clock)
    assert successor.mark() != emulator.mark()
    successor.restore(json.loads(json.dumps(emulator.dump())))

    again = invoker(successor)
    for name in names:
        assert await again("GetDocument", name=name) == await invoke("GetDocument", name=name)
