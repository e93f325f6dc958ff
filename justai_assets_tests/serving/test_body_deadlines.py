import asyncio

import pytest

from justai_assets.serving.body_deadlines import Patience, SlowSenderError


def test_a_wait_that_takes_too_long_ends_and_the_task_lives_on() -> None:
    async def scenario() -> str:
        now = 0.0
        patience = Patience(0.02, lambda: now)
        sweeper = asyncio.create_task(patience.sweep())

        async def request() -> str:
            with pytest.raises(SlowSenderError), patience.with_sender():
                await asyncio.sleep(60)
            await asyncio.sleep(0.02)  # the cancellation is used up
            return "answered"

        task = asyncio.create_task(request())
        await asyncio.sleep(0.05)
        assert not task.done(), "by its own clock no time has passed"
        now = 1.0
        answer = await asyncio.wait_for(task, 5)
        sweeper.cancel()
        assert not patience.waiting
        assert not patience.given_up
        return answer

    assert asyncio.run(scenario()) == "answered"


def test_a_wait_that_ends_in_time_is_left_alone_and_errors_pass_through() -> None:
    async def scenario() -> None:
        patience = Patience(10, lambda: 0.0)
        with patience.with_sender():
            await asyncio.sleep(0)
        with pytest.raises(KeyError), patience.with_sender():
            raise KeyError
        assert not patience.waiting

    asyncio.run(scenario())


def test_a_cancellation_from_outside_stays_one() -> None:
    async def scenario() -> None:
        patience = Patience(10, lambda: 0.0)

        async def request() -> None:
            with patience.with_sender():
                await asyncio.sleep(60)

        task = asyncio.create_task(request())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
