"""Who takes turns in a slot: replicas, each with all the models that it serves."""

from __future__ import annotations

from dataclasses import dataclass

from debate.engines.client import ModelClient
from debate.engines.counters import State
from debate.engines.lane import Lane
from debate.errors import BoundaryError, ClusterError, boundary


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """A model's lane to a replica that shares a slot."""

    client: ModelClient
    lane: Lane


class Tenant:
    """A replica that shares a slot, with a seat for each model that it serves.

    Its models come and go together. What is done to the replica is done through every seat: one
    that serves several does it once.
    """

    def __init__(self, *seats: Seat) -> None:
        self.seats = seats

    @property
    def lanes(self) -> list[Lane]:
        """The lanes that are not dead."""
        return [seat.lane for seat in self.seats if seat.lane.state != "dead"]

    @property
    def label(self) -> str:
        """The models' names."""
        return " + ".join(seat.lane.label for seat in self.seats)

    @property
    def state(self) -> State:
        """What the replica is doing: restarting as long as one of its models waits for that."""
        states = {lane.state for lane in self.lanes}
        if "restarting" in states:
            return "restarting"
        return states.pop() if len(states) == 1 else "ready" if states else "dead"

    @state.setter
    def state(self, state: State) -> None:
        for lane in self.lanes:
            lane.state = state

    @property
    def num_queued(self) -> int:
        """Requests that wait."""
        return sum(len(lane.queue) for lane in self.lanes)

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return sum(lane.in_flight for lane in self.lanes)

    @property
    def load(self) -> int:
        """Requests that it still owes."""
        return self.num_queued + self.in_flight

    @property
    def waited_since(self) -> float:
        """When the oldest request in its queues was queued."""
        return min(lane.queue[0].queued_at for lane in self.lanes if lane.queue)

    async def start(self) -> None:
        """Start the replica. Raises BoundaryError."""
        for lane in self.lanes:
            await lane.replica.start()

    async def sleep(self) -> None:
        """Free the device, if need be by closing the replica: waking starts it anew."""
        try:
            with boundary(ClusterError, f"{self.label}: sleep"):
                for lane in self.lanes:
                    await lane.replica.sleep()
        except BoundaryError:
            for lane in self.lanes:
                await lane.replica.close()

    async def rouse(self) -> None:
        """Wake the replica, or start it anew."""
        for seat in self.seats:
            if seat.lane.state != "dead":
                await seat.client.rouse(seat.lane)

    def go_on(self) -> None:
        """Whoever was to leave stays."""
        for lane in self.lanes:
            if lane.state == "draining":
                lane.become_ready()
