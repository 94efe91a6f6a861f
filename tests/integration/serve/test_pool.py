"""The pool: many callers, few threads, nothing begun that nobody waits for, nothing lost at the end."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path

import pytest

from searchkit.errors import PoolBusyError, PoolClosedError
from searchkit.home import Home
from searchkit.library import Library
from searchkit.serve.pool import CALLER, LibraryPool
from tests.support.hash_embedder import HashEmbedder


def test_work_runs_with_a_library_of_its_thread_and_gives_its_result(library: Library) -> None:
    async def main() -> tuple[Home, bool]:
        pool = LibraryPool(library, 2)
        try:
            return await pool.run(lambda own: (own.home, own is library))
        finally:
            pool.close()

    assert asyncio.run(main()) == (library.home, False)


def test_an_error_is_raised_where_the_result_is_awaited(library: Library) -> None:
    async def main() -> None:
        pool = LibraryPool(library, 1)
        try:
            await pool.run(lambda own: own.search("", k=1))
        finally:
            pool.close()

    with pytest.raises(Exception, match="The query is empty"):
        asyncio.run(main())


def test_what_waits_in_vain_is_refused_and_what_was_cancelled_is_never_begun(library: Library) -> None:
    begun: list[str] = []
    go_on, is_busy = threading.Event(), threading.Event()

    def noting(name: str) -> Callable[[Library], None]:
        return lambda _: begun.append(name)

    def block(_: Library) -> None:
        is_busy.set()
        go_on.wait(30)

    async def main() -> None:
        pool = LibraryPool(library, 1, waiting=2)
        blocked = pool.submit(block)
        is_busy.wait(30)
        waiting = asyncio.ensure_future(pool.run(noting("cancelled")))
        await asyncio.sleep(0)
        kept = pool.submit(noting("kept"))
        with pytest.raises(PoolBusyError):
            await pool.run(noting("refused"))
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)  # until the thread's side knows
        go_on.set()
        blocked.result(30)
        kept.result(30)
        assert pool.close(30)
        with pytest.raises(PoolClosedError):
            await pool.run(noting("late"))

    asyncio.run(main())
    assert begun == ["kept"]


def test_what_was_given_up_takes_nobodys_place(library: Library) -> None:
    go_on, is_busy = threading.Event(), threading.Event()

    def block(_: Library) -> None:
        is_busy.set()
        go_on.wait(30)

    pool = LibraryPool(library, 1, waiting=2)
    pool.submit(block)
    is_busy.wait(30)
    for _ in range(5):
        assert pool.submit(block).cancel()
    assert pool.waiting == 0
    kept = [pool.submit(lambda _: "kept") for _ in range(2)]
    with pytest.raises(PoolBusyError):
        pool.submit(block)
    go_on.set()
    assert [each.result(30) for each in kept] == ["kept", "kept"]
    assert pool.close(30)


def test_callers_take_turns_however_much_one_of_them_asks(library: Library) -> None:
    done: list[str] = []
    go_on, is_busy = threading.Event(), threading.Event()

    def block(_: Library) -> None:
        is_busy.set()
        go_on.wait(30)

    def submit(pool: LibraryPool, caller: str, name: str) -> None:
        context = copy_context()
        context.run(CALLER.set, caller)
        context.run(pool.submit, lambda _: done.append(name))

    pool = LibraryPool(library, 1)
    pool.submit(block)
    is_busy.wait(30)
    for number in range(4):
        submit(pool, "greedy", f"greedy {number}")
    for name in ("modest", "another"):
        submit(pool, name, name)
    submit(pool, "modest", "modest again")
    assert pool.waiting == 7
    go_on.set()
    assert pool.close(30)
    assert pool.waiting == 0
    assert done == ["greedy 0", "modest", "another", "greedy 1", "modest again", "greedy 2", "greedy 3"]


def test_closing_finishes_what_was_taken(library: Library) -> None:
    done: list[int] = []
    pool = LibraryPool(library, 1)

    def noting(number: int) -> Callable[[Library], None]:
        return lambda _: done.append(number)

    futures = [pool.submit(noting(number)) for number in range(20)]
    assert pool.close(30)
    assert pool.close(30)
    assert done == list(range(20))
    assert all(future.done() for future in futures)


def test_models_are_shared(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    with Library(tmp_path, embedder=embedder) as library:
        pool = LibraryPool(library, 2)
        seen = {id(pool.submit(lambda own: own.open_models.named("hash")).result(30)) for _ in range(4)}
        pool.close()
    assert seen == {id(embedder)}


def test_memory_is_given_back_once_after_much_work(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    given, is_given = list[int](), threading.Event()

    def give_back() -> None:
        given.append(1)
        is_given.set()

    monkeypatch.setattr("searchkit.serve.pool.give_back_memory", give_back)
    monkeypatch.setattr("searchkit.serve.pool._IDLE_SECONDS", 0.01)
    pool = LibraryPool(library, 1)
    pool.submit(lambda _: None).result(30)
    assert not is_given.wait(0.2), "little work"
    monkeypatch.setattr("searchkit.serve.pool._MUCH_WORK_SECONDS", 0.0)
    pool.submit(lambda _: None).result(30)
    assert is_given.wait(30)
    pool.close()
    assert given == [1]
