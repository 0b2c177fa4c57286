# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shows what checkers of types know of programs that use dray. It is checked, and never run."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Generator, Iterator

import dray
from typing_extensions import assert_type


def repeat(times: int, text: str = '') -> str:
    return text * times


def count(n: int) -> Iterator[int]:
    yield from range(n)


def count_and_tell(n: int) -> Generator[int, None, str]:
    yield from range(n)
    return 'counted'


def drop_in(executor: concurrent.futures.Executor) -> concurrent.futures.Future[int]:
    return executor.submit(len, 'text')


def report(fraction: float | None, text: str | None) -> None:
    pass


def submit(executor: dray.ProcessPoolExecutor) -> None:
    assert_type(executor.submit(repeat, 2, text='a').result(), str)
    assert_type(list(executor.map(repeat, [1, 2], timeout=3)), list[str])
    assert_type(executor.options(timeout=1, on_progress=report).submit(repeat, 3).result(), str)
    executor.submit(repeat, 'no number')  # type: ignore[arg-type]
    executor.options(timeout='soon')  # type: ignore[arg-type]
    view = executor.options(timeout=1)
    assert_type(view.options(retries=2).submit(repeat, 3).result(), str)
    view.options(retries='twice')  # type: ignore[arg-type]
    view.options(time=1)  # type: ignore[call-arg]
    drop_in(executor)


def stream(executor: dray.ProcessPoolExecutor) -> None:
    counting = executor.submit(count, 3)
    for number in counting:
        assert_type(number, int)
    telling = executor.submit(count_and_tell, 3)
    assert_type(next(telling), int)
    assert_type(telling.result(), str)


async def wait(executor: dray.ProcessPoolExecutor) -> None:
    assert_type(await executor.submit(repeat, 1), str)
    async for number in executor.submit(count, 3):
        assert_type(number, int)


with dray.ProcessPoolExecutor(2, on_crash='break', initializer=repeat, initargs=(1,)) as pool:
    submit(pool)
