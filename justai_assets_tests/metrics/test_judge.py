from datetime import date, timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COHORT_COUNTS, COHORT_PEOPLE, ESP_EVENTS
from justai_assets.metrics.judge import judge
from justai_assets.metrics.starts import starts_of
from justai_assets_tests.metrics.events import FIRST, WELCOME, an_org, send_day, write
from justai_assets_tests.world import World


def looked_at(world, org, last, *, shown=2, keep=True):
    """As the asset does it on a day, showing two days; the judged results and the days that had to be counted."""
    counted: list[date] = []
    days = Days(last - timedelta(shown - 1), last)
    starts = starts_of(org, world.lake, last)
    return judge(org, world.lake, days, starts=starts, keep=keep, on_day=counted.append), counted


def test_every_look_is_at_all_days_since_the_test_began_however_few_are_shown(world: World) -> None:
    org = an_org(world)
    for at in range(6):
        send_day(world, FIRST + timedelta(at), 30, 30 if at else 0)
    for last in (3, 4, 5):
        judged, _ = looked_at(world, org, FIRST + timedelta(last))
        (result,) = judged.results
        assert (result.first_day, result.last_day) == (FIRST + timedelta(1), FIRST + timedelta(last))
        assert result.key is not None
        assert result.key.comparison.control.messages == 30 * last
        # A person of six days is one person: the sums go as far back as the counts.
        assert result.key.comparison.control.users == 30
        assert judged.funnel["cohort_date"].n_unique() == 2


def test_a_day_is_counted_once_until_it_changes(world: World) -> None:
    org = an_org(world)
    for at in range(6):
        send_day(world, FIRST + timedelta(at), 30, 30)
    last = FIRST + timedelta(5)
    first_time, counted = looked_at(world, org, last)
    assert counted == [FIRST + timedelta(at) for at in range(6)]
    again, counted = looked_at(world, org, last)
    assert counted == []
    assert again.results == first_time.results
    assert again.overall == first_time.overall
    assert again.funnel.sort("template", "cohort_date").equals(first_time.funnel.sort("template", "cohort_date"))
    # A late file of the sixth changes what follows the sends of the third to the sixth.
    send_day(world, FIRST + timedelta(4), 40, 30)
    changed, counted = looked_at(world, org, last)
    assert counted == [FIRST + timedelta(at) for at in range(1, 5)]
    assert changed.results[0].key is not None
    assert changed.results[0].key.comparison.treatment.messages == 190


def test_what_is_kept_gives_the_result_that_counting_gives(world: World) -> None:
    org = an_org(world)
    for at in range(4):
        send_day(world, FIRST + timedelta(at), 30, 30)
    last = FIRST + timedelta(3)
    looked_at(world, org, FIRST + timedelta(1))
    half_kept, counted = looked_at(world, org, last, keep=False)
    assert counted == [FIRST + timedelta(2), FIRST + timedelta(3)]
    whole = judge(org, world.lake, Days(FIRST, last), starts={"welcome": FIRST})
    assert half_kept.results == whole.results


def test_nothing_is_written_unless_it_is_to_be_kept(world: World) -> None:
    org = an_org(world)
    send_day(world, FIRST, 30, 30)
    looked_at(world, org, FIRST, shown=1, keep=False)
    assert world.lake.open("acme", COHORT_COUNTS) is None
    assert world.lake.open("acme", COHORT_PEOPLE) is None


def test_a_new_template_leaves_the_days_before_it_as_they_are_counted(world: World) -> None:
    org = an_org(world)
    for at in range(5):
        send_day(world, FIRST + timedelta(at), 30, 30)
    looked_at(world, org, FIRST + timedelta(4))
    last = FIRST + timedelta(5)
    send_day(world, last, 30, 30, ids=("601", "602"))
    two = an_org(world, WELCOME, {
        "id": "two", "treatment": {"template_id": "601", "campaign_id": "9001"},
        "control": {"template_id": "602", "campaign_id": "9001"},
    })  # fmt: skip
    judged, counted = looked_at(world, two, last)
    assert [one.first_day for one in judged.results] == [FIRST, last]
    # The days that are followed by the new one, and those shown, whose funnel is over both templates.
    assert counted == [FIRST + timedelta(at) for at in range(2, 6)]


def test_days_chosen_by_hand_are_judged_alone(world: World) -> None:
    org = an_org(world)
    for at in range(4):
        send_day(world, FIRST + timedelta(at), 30, 30)
    judged = judge(org, world.lake, Days(FIRST + timedelta(2), FIRST + timedelta(3)))
    assert judged.is_chosen
    assert judged.results[0].first_day == FIRST + timedelta(2)


def test_an_arm_whose_keys_come_and_go_is_judged_partly_by_person(world: World) -> None:
    org = an_org(world)
    send_day(world, FIRST, 30, 30)
    send_day(world, FIRST + timedelta(1), 30, 30)
    day = FIRST + timedelta(1)
    rows = world.table(ESP_EVENTS).filter(pl.col("event_date") == day)
    write(world, ESP_EVENTS, day, rows.with_columns(pl.lit(None, pl.String).alias("user_key")))
    judged, _ = looked_at(world, org, day)
    key = judged.results[0].key
    assert key is not None
    assert (key.comparison.variance, key.comparison.treatment.users) == ("partly", 30 + 30)
