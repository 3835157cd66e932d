"""Futures that several coroutines await, and the tasks of one debate that set them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from debate.types import AgentId, Turn

T = TypeVar("T")
L = TypeVar("L")


class SharedFuture(Generic[T]):
    """A result that is set once, and that any number of coroutines may await, also repeatedly.

    A coroutine that is cancelled while it waits leaves the future as it is for the others. Needs
    no event loop and costs a fraction of an `asyncio.Future` behind `asyncio.shield`.
    """

    __slots__ = ("_callbacks", "_exception", "_is_done", "_result")

    _result: T

    def __init__(self) -> None:
        self._is_done = False
        self._exception: BaseException | None = None
        self._callbacks: list[Callable[[SharedFuture[T]], None]] = []

    @classmethod
    def from_result(cls, result: T) -> SharedFuture[T]:
        """Make a future that is done."""
        future = cls()
        future.set_result(result)
        return future

    def set_result(self, result: T) -> None:
        """Mark the future done and wake all who wait."""
        self._result = result
        self._set_done()

    def set_exception(self, exception: BaseException) -> None:
        """Mark the future done; awaiting it raises the exception."""
        self._exception = exception
        self._set_done()

    def done(self) -> bool:
        """Return whether a result or an exception has been set."""
        return self._is_done

    def result(self) -> T:
        """Return the result of a future that is done, or raise its exception."""
        if self._exception is not None:
            raise self._exception
        return self._result

    def exception(self) -> BaseException | None:
        """Return the exception that has been set, if any."""
        return self._exception

    def add_done_callback(self, callback: Callable[[SharedFuture[T]], None]) -> None:
        """Have the callback called once the future is done; it must not be done yet."""
        self._callbacks.append(callback)

    def __await__(self) -> Generator[Any, None, T]:
        if not self._is_done:
            waiter = asyncio.get_running_loop().create_future()
            self._callbacks.append(lambda _: _wake(waiter))
            yield from waiter
        return self.result()

    def _set_done(self) -> None:
        assert not self._is_done, "a future is set once"
        self._is_done = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


async def set_from(future: SharedFuture[T], awaitable: Awaitable[T]) -> None:
    """Set the future to what the awaitable returns or raises; an exception is raised here too."""
    try:
        result = await awaitable
    except BaseException as error:
        future.set_exception(error)
        raise
    future.set_result(result)


async def gather_futures(futures: Sequence[SharedFuture[T]]) -> list[T]:
    """Return the results of all futures, in their order; raise the first exception at once."""
    pending = [future for future in futures if not future.done()]
    _raise_exception(futures)
    if pending:
        await _wait_for_all(pending)
        _raise_exception(futures)
    return [future.result() for future in futures]


def _raise_exception(futures: Sequence[SharedFuture[T]]) -> None:
    for future in futures:
        exception = future.exception()
        if exception is not None:
            raise exception


def _wait_for_all(pending: Sequence[SharedFuture[T]]) -> asyncio.Future[None]:
    """Return a future that is done when all of them are, or one has an exception."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    num_left = len(pending)

    def note(future: SharedFuture[T]) -> None:
        nonlocal num_left
        num_left -= 1
        if future.exception() is not None or not num_left:
            _wake(waiter)

    for future in pending:
        future.add_done_callback(note)
    return waiter


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def wait_for_quorum(
    awaitables: Sequence[Awaitable[T]], quorum: int, *, counts: Callable[[T], bool], late: L
) -> list[T | L]:
    """Return the results in their order once `quorum` of them count; `late` stands for the rest.

    What is not waited for goes on by itself, so an awaitable must survive a waiter that leaves.
    Raises the first exception of those that are done.
    """
    tasks = [asyncio.ensure_future(_await(each)) for each in awaitables]
    pending = set(tasks)
    try:
        while pending and _count_done(tasks, counts) < quorum:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() if task.done() else late for task in tasks]
    finally:
        for task in tasks:
            task.cancel()


def _count_done(tasks: Sequence[asyncio.Task[T]], counts: Callable[[T], bool]) -> int:
    return sum(task.done() and counts(task.result()) for task in tasks)


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable


TurnFuture: TypeAlias = SharedFuture[Turn | None]
"""A turn that is being taken; its result is None where the agent takes none."""

NO_TURN: TurnFuture = SharedFuture.from_result(None)
"""The turn of an agent that has none."""

TakeTurn = Callable[[AgentId, int], Awaitable[Turn | None]]
"""Takes an agent's turn of a round."""


class TurnTasks:
    """The tasks in which the turns of one debate are taken, and their futures by name."""

    def __init__(self) -> None:
        self._futures: dict[Hashable, TurnFuture] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def get(self, name: Hashable) -> TurnFuture | None:
        """Return the future of the turn that was started under this name, if one was."""
        return self._futures.get(name)

    def start(self, name: Hashable, turn: Awaitable[Turn | None]) -> TurnFuture:
        """Start a task for a turn whose name is new."""
        future = self._futures[name] = SharedFuture()
        self._create_task(set_from(future, turn))
        return future

    def start_rounds(self, agent: AgentId, rounds: Sequence[int], take: TakeTurn) -> None:
        """Start one task for an agent's turns, one after the other, named `(agent, round)`."""
        futures: list[TurnFuture] = [SharedFuture() for _ in rounds]
        self._futures.update(zip([(agent, round) for round in rounds], futures, strict=True))
        self._create_task(_take_in_order(agent, rounds, futures, take))

    def cancel(self) -> None:
        """Cancel every task that is still running."""
        for task in self._tasks:
            task.cancel()
            task.add_done_callback(_retrieve_exception)

    def _create_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(coroutine))


async def _take_in_order(
    agent: AgentId, rounds: Sequence[int], futures: Sequence[TurnFuture], take: TakeTurn
) -> None:
    """Take the turns; an exception is set on the failing turn's future and on all that follow."""
    for place, round in enumerate(rounds):
        try:
            turn = await take(agent, round)
        except BaseException as error:
            for future in futures[place:]:
                future.set_exception(error)
            raise
        futures[place].set_result(turn)


def _retrieve_exception(task: asyncio.Task[None]) -> None:
    """Retrieve a task's exception, so that asyncio does not report what others have raised."""
    if not task.cancelled():
        task.exception()
