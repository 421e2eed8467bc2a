"""When something may be sent, by what the channel declares and by what its platform has said."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.channel import Budget, Capabilities
from bot.delivery.governor import Governor

LIMITED = Capabilities(account_budget=Budget(30, 30), private_budget=Budget(1, 3), group_budget=Budget(20 / 60, 5))


@dataclass
class Now:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def sent(governor: Governor, chat: str, *, is_private: bool = True) -> bool:
    """Send if it may be sent now."""
    if governor.wait_seconds(chat, is_private=is_private) > 0:
        return False
    governor.take(chat, is_private=is_private)
    return True


def test_without_declared_limits_nothing_waits() -> None:
    governor = Governor(Capabilities(), now=Now())
    assert all(sent(governor, "a") for _ in range(1000))


def test_a_chat_has_its_burst_and_then_its_rate() -> None:
    now = Now()
    governor = Governor(LIMITED, now=now)
    assert [sent(governor, "a") for _ in range(4)] == [True, True, True, False]
    assert governor.wait_seconds("a", is_private=True) == pytest.approx(1.0)
    now.seconds += 1.0
    assert sent(governor, "a")
    assert not sent(governor, "a")


def test_a_group_is_slower_than_a_private_chat() -> None:
    governor = Governor(LIMITED, now=Now())
    for _ in range(5):
        assert sent(governor, "group", is_private=False)
    assert governor.wait_seconds("group", is_private=False) == pytest.approx(3.0)


def test_chats_share_what_the_account_may_send() -> None:
    governor = Governor(LIMITED, now=Now())
    assert sum(sent(governor, f"chat {number}") for number in range(100)) == 30


def test_previews_leave_a_reserve_that_finals_may_use() -> None:
    governor = Governor(LIMITED, now=Now())
    governor.take("a", is_private=True)
    governor.take("a", is_private=True)
    assert governor.wait_seconds("a", is_private=True, is_final=False) > 0
    assert governor.wait_seconds("a", is_private=True) == 0


def test_a_refused_chat_is_left_alone_for_as_long_as_the_platform_says() -> None:
    now = Now()
    governor = Governor(LIMITED, now=now)
    governor.refused("a", is_private=True, retry_after=60)
    assert governor.wait_seconds("a", is_private=True) >= 60
    assert governor.wait_seconds("b", is_private=True) == 0


def test_what_is_no_message_counts_for_the_account_alone() -> None:
    governor = Governor(Capabilities(account_budget=Budget(1, 2), private_budget=Budget(1, 1)), now=Now())
    governor.take_besides()
    assert [sent(governor, "a"), sent(governor, "b")] == [True, False]


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_platform_that_tells_whether_it_means_the_account_is_believed(everywhere: bool) -> None:
    governor = Governor(LIMITED, now=Now())
    for chat in ("a", "b"):
        governor.refused(chat, is_private=True, retry_after=9.0, everywhere=everywhere)
    assert (governor.wait_seconds("c", is_private=True) > 0) is everywhere


def test_two_chats_refused_at_once_mean_the_account() -> None:
    governor = Governor(LIMITED, now=Now())
    governor.refused("a", is_private=True, retry_after=10)
    governor.refused("b", is_private=True, retry_after=10)
    assert governor.wait_seconds("c", is_private=True) == pytest.approx(10)


def test_what_was_learned_holds_in_the_next_run() -> None:
    now = Now()
    governor = Governor(LIMITED, now=now)
    governor.refused("a", is_private=True, retry_after=60)
    now.seconds += 20
    after_restart = Governor(LIMITED, now=now, closed_until=governor.closed_until)
    assert after_restart.wait_seconds("a", is_private=True) == pytest.approx(40)
    now.seconds += 41
    assert governor.closed_until == {}


def test_a_chat_that_was_refused_is_slower_until_messages_have_gone_through() -> None:
    now = Now()
    governor = Governor(LIMITED, now=now)
    governor.refused("a", is_private=True, retry_after=0)
    assert governor.wait_seconds("a", is_private=True) == pytest.approx(2.0)
    for _ in range(20):
        governor.arrived("a")
    assert governor.wait_seconds("a", is_private=True) == pytest.approx(1.0)


def test_chats_are_forgotten_beyond_a_bound() -> None:
    governor = Governor(Capabilities(private_budget=Budget(1, 3)), now=Now())
    for number in range(12_000):
        governor.wait_seconds(f"chat {number}", is_private=True)
    assert len(governor._chats) == 10_000
