from datetime import date, timedelta

from justai_assets.contract.days import Days
from justai_assets.experiments.experiment_start import shown_days, starts_of
from justai_assets_tests.experiments.events import FIRST, WELCOME, an_org, send_day
from justai_assets_tests.world import World

LAST = FIRST + timedelta(60)


def test_a_test_begins_when_both_arms_have_sent_and_stays_there(world: World) -> None:
    org = an_org(world)
    send_day(world, FIRST, 30, 0)
    assert starts_of(org, world.lake, LAST) == {}
    send_day(world, FIRST + timedelta(2), 0, 30)
    send_day(world, FIRST + timedelta(40), 30, 30)
    for last in (FIRST + timedelta(2), LAST, LAST + timedelta(365)):
        assert starts_of(org, world.lake, last) == {"welcome": FIRST + timedelta(2)}


def test_new_ids_are_a_new_test(world: World) -> None:
    org = an_org(world)
    send_day(world, FIRST, 30, 30)
    send_day(world, FIRST + timedelta(9), 30, 30, ids=("501", "503"))
    assert starts_of(org, world.lake, LAST) == {"welcome": FIRST}
    renewed = an_org(world, WELCOME | {"control": {"template_id": "503", "campaign_id": "9001"}})
    assert starts_of(renewed, world.lake, LAST) == {"welcome": FIRST + timedelta(9)}


def test_the_org_file_may_name_the_start(world: World) -> None:
    org = an_org(world, WELCOME | {"experiment_start": FIRST + timedelta(1)})
    send_day(world, FIRST, 30, 30)
    send_day(world, FIRST + timedelta(3), 30, 30)
    assert starts_of(org, world.lake, LAST) == {"welcome": FIRST + timedelta(3)}


def test_without_sends_or_without_a_control_there_is_no_test(world: World) -> None:
    solo = {name: WELCOME[name] for name in ("treatment", "control_share")} | {"id": "solo"}
    org = an_org(world, WELCOME, solo | {"treatment": {"template_id": "7", "campaign_id": "1"}})
    assert starts_of(org, world.lake, LAST) == {}
    send_day(world, FIRST, 30, 30)
    assert starts_of(org, world.lake, LAST) == {"welcome": FIRST}
    assert starts_of(org, world.lake, date(2025, 1, 1)) == {}


def test_funnels_reach_back_to_a_test_that_began_just_before_them_and_no_further() -> None:
    days = Days(FIRST, FIRST + timedelta(29))
    for before, reached in ((0, 0), (3, 3), (30, 30), (31, 0)):
        shown = shown_days(days, {"a": FIRST - timedelta(before), "b": FIRST + timedelta(5)})
        assert shown == Days(FIRST - timedelta(reached), days.last)
    assert shown_days(days, {}) == days
