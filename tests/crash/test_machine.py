"""The claim protocol's invariants, after any sequence of deliveries, faults, kills and waits."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relay.dispatcher.claims import DONE
from tests.crash.virtual import runner
from tests.crash.world import MESSAGE, ROUTES, Fault, Process, World

# Between two steps of a call, about a call, a request's patience, a budget, a lease.
SPANS = [0.004, 0.02, 1.0, 4.0, 50.0, 130.0]
SKEWS = [-30.0, 0.0, 30.0]


class ClaimProtocol(RuleBasedStateMachine):
    """One event, any number of processes; what they do is left to chance."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = runner()
        self.world = self.run(self._begin())
        self.processes: list[Process] = []
        self.was_done = False

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    async def _begin(self) -> World:
        return World()

    async def _request(self, process: Process) -> None:
        self.world.later(self.world.request(process, MESSAGE))
        await asyncio.sleep(0)

    @rule(skew=st.sampled_from(SKEWS))
    def deliver(self, skew: float) -> None:
        process = self.world.process(skew)
        self.processes.append(process)
        self.run(self._request(process))

    @rule(span=st.sampled_from(SPANS))
    def wait(self, span: float) -> None:
        self.run(asyncio.sleep(span))

    @rule(fault=st.sampled_from(Fault), ahead=st.integers(0, 3))
    def strike(self, fault: Fault, ahead: int) -> None:
        self.world.plan[len(self.world.calls) + ahead] = fault

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.processes)).dead.set()

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), span=st.sampled_from(SPANS))
    def freeze(self, data: st.DataObject, span: float) -> None:
        process = data.draw(st.sampled_from(self.processes))
        process.frozen_until = self.world.loop.time() + span

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.processes))

        async def signal() -> None:
            process.worker.stopping.begin()

        self.run(signal())

    @rule(route=st.sampled_from(ROUTES), times=st.integers(1, 3))
    def outage(self, route: Any, times: int) -> None:
        self.world.down[route.topic] += times

    @invariant()
    def an_acknowledged_event_is_finished(self) -> None:
        self.world.check_answers()

    @invariant()
    def the_ledger_never_claims_more_than_was_published(self) -> None:
        if self.world.exists():
            copies = self.world.copies()
            done = self.world.document()["routes_done"]
            assert all(copies[route.topic] for route in ROUTES if route.name in done)

    @invariant()
    def what_is_done_stays_done(self) -> None:
        if self.world.exists():
            document = self.world.document()
            finished = set(document["routes_done"]) == {route.name for route in ROUTES}
            assert finished or document["state"] != DONE
            assert document["state"] == DONE or not self.was_done
            self.was_done = document["state"] == DONE

    def teardown(self) -> None:
        self.world.plan.clear()
        self.world.down.clear()
        self.run(self.world.deliver())
        self.run(self.world.finish())
        self.world.check_finished()
        self.what_is_done_stays_done()
        self.runner.close()


TestClaimProtocol = ClaimProtocol.TestCase
TestClaimProtocol.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
