import threading
from pathlib import Path
from typing import Any

from justai_assets.serving.counters import Counters
from justai_assets.serving.request_outcomes import Accounts


def settle(accounts: Accounts, fate: str = "accepted", **changes: Any) -> None:
    known: dict[str, Any] = {"door": "iterable_webhooks", "org": "acme", "reason": "", "status": 202, "size": 3}
    accounts.settle(fate, **{**known, "seconds": 0.002, "at": 1.0, **changes})


def test_a_fate_is_counted_by_org_door_and_reason(tmp_path: Path) -> None:
    accounts = Accounts(Counters(tmp_path / "1.counts"), None, refused_only=False)
    accounts.arrived()
    settle(accounts)
    settle(accounts, "rejected", reason="empty", seconds=99.0)
    settle(accounts, "unauthorized", org=None)
    get = accounts.counters.get
    assert get("received") == 1
    assert get("requests|acme|iterable_webhooks|accepted") == 1
    assert get("rejected|acme|iterable_webhooks|empty") == 1
    assert get("requests||iterable_webhooks|unauthorized") == 1
    assert get("seconds|iterable_webhooks|2") == 2, "two milliseconds are within the bucket of two"
    assert get("seconds|iterable_webhooks|+Inf") == 1


def test_the_log_has_every_entry_or_the_refused_ones_and_the_rest_at_the_end(tmp_path: Path) -> None:
    for refused_only, expected in ((False, ["accepted", "rejected"]), (True, ["rejected"])):
        entries: list[dict[str, Any]] = []
        accounts = Accounts(Counters(tmp_path / "1.counts"), entries.extend, refused_only=refused_only)
        settle(accounts)
        settle(accounts, "rejected", reason="empty")
        accounts.close()
        assert [entry["fate"] for entry in entries] == expected
        assert entries[-1]["ms"] == 2.0


def test_a_log_that_nobody_reads_drops_entries_and_says_how_many(tmp_path: Path) -> None:
    stuck = threading.Event()
    accounts = Accounts(Counters(tmp_path / "1.counts"), lambda _: bool(stuck.wait(30)) and None, refused_only=False)
    for _ in range(50_000):
        settle(accounts)
    assert accounts.counters.get("log_entries_dropped") >= 50_000 - 20_000 - 1000
    assert accounts.counters.get("requests|acme|iterable_webhooks|accepted") == 50_000
    stuck.set()
    accounts.close()
