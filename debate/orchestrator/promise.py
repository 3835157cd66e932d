"""Values under way that several wait for, at a fraction of what tasks and shields cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Promise(Generic[T]):
    """A value that whoever makes it will `keep` or `fail`; each may await it, and more than once.

    Whoever gives up waiting leaves the value under way for the others.
    """

    __slots__ = ("_callbacks", "_value", "error", "is_over")

    _value: T

    def __init__(self) -> None:
        self.is_over = False
        self.error: BaseException | None = None
        self._callbacks: list[Callable[[Promise[T]], None]] = []

    @classmethod
    def kept(cls, value: T) -> Promise[T]:
        """A promise of what is there already."""
        promise = cls()
        promise.keep(value)
        return promise

    def keep(self, value: T) -> None:
        """The value is there."""
        self._value = value
        self._settle()

    def fail(self, error: BaseException) -> None:
        """There will be no value; `error` is what awaiting raises."""
        self.error = error
        self._settle()

    def result(self) -> T:
        """The value of a promise that is over. Raises what it failed with."""
        if self.error is not None:
            raise self.error
        return self._value

    def when_over(self, callback: Callable[[Promise[T]], None]) -> None:
        """Have the callback called once the promise is over; it must not be yet."""
        self._callbacks.append(callback)

    def __await__(self) -> Generator[Any, None, T]:
        if not self.is_over:
            waiter = asyncio.get_running_loop().create_future()
            self._callbacks.append(lambda _: _wake(waiter))
            yield from waiter
        return self.result()

    def _settle(self) -> None:
        assert not self.is_over, "a promise is kept or fails once"
        self.is_over = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


async def keep_or_fail(promise: Promise[T], awaitable: Awaitable[T]) -> None:
    """Keep the promise with what the awaitable gives, or fail it with what it raises."""
    try:
        value = await awaitable
    except BaseException as error:
        promise.fail(error)
        raise
    promise.keep(value)


async def all_kept(promises: Sequence[Promise[T]]) -> list[T]:
    """The values of all promises, in their order; the first failure is raised at once."""
    pending = [promise for promise in promises if not promise.is_over]
    _raise_failure(promises)
    if pending:
        await _over(pending)
        _raise_failure(promises)
    return [promise.result() for promise in promises]


def _raise_failure(promises: Sequence[Promise[T]]) -> None:
    for promise in promises:
        if promise.error is not None:
            raise promise.error


def _over(pending: Sequence[Promise[T]]) -> asyncio.Future[None]:
    """Done when all of them are over, or one has failed."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    num_left = len(pending)

    def note(promise: Promise[T]) -> None:
        nonlocal num_left
        num_left -= 1
        if promise.error is not None or not num_left:
            _wake(waiter)

    for promise in pending:
        promise.when_over(note)
    return waiter


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
