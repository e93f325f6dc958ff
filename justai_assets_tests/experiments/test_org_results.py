from datetime import timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COPY_DAILY, ESP_EVENTS
from justai_assets.experiments.experiment_start import starts_of
from justai_assets.experiments.org_results import judge
from justai_assets_tests.experiments.events import FIRST, WELCOME, an_org, rebuild, send_day, write
from justai_assets_tests.world import World


def looked_at(world, org, last, *, shown=2):
    """As the asset does it on a day, showing two days."""
    days = Days(last - timedelta(shown - 1), last)
    return judge(org, world.lake, days, starts=starts_of(org, world.lake, last))


def test_every_look_is_at_all_days_since_the_test_began_however_few_are_shown(world: World) -> None:
    org = an_org(world)
    for at in range(6):
        send_day(world, FIRST + timedelta(at), 30, 30 if at else 0)
    for last in (3, 4, 5):
        judged = looked_at(world, org, FIRST + timedelta(last))
        (result,) = judged.results
        assert (result.first_day, result.last_day) == (FIRST + timedelta(1), FIRST + timedelta(last))
        assert result.key is not None
        assert result.key.comparison.control.messages == 30 * last
        # A person of six days is one person: the sums go as far back as the counts.
        assert result.key.comparison.control.users == 30
        assert judged.funnel["cohort_date"].n_unique() == 2


def test_a_late_file_changes_the_result_of_its_day(world: World) -> None:
    org = an_org(world)
    for at in range(6):
        send_day(world, FIRST + timedelta(at), 30, 30)
    last = FIRST + timedelta(5)
    assert looked_at(world, org, last).results[0].key.comparison.treatment.messages == 180
    send_day(world, FIRST + timedelta(4), 40, 30)
    assert looked_at(world, org, last).results[0].key.comparison.treatment.messages == 190


def test_days_counted_by_another_org_file_are_counted_again_for_the_result(world: World) -> None:
    an_org(world)
    for at in range(3):
        send_day(world, FIRST + timedelta(at), 30, 30, ids=("501", "502"))
    two = an_org(world, WELCOME, {
        "id": "two", "treatment": {"template_id": "501", "campaign_id": "9001"},
        "control": {"template_id": "503", "campaign_id": "9001"},
    })  # fmt: skip
    assert world.table(COPY_DAILY)["template"].drop_nulls().unique().to_list() == ["welcome"]
    judged = looked_at(world, two, FIRST + timedelta(2), shown=3)
    assert judged.funnel.filter(pl.col("template") == "two")["sent"].to_list() == [30, 30, 30]
    before = world.lake.open("acme", COPY_DAILY).version()
    assert looked_at(world, two, FIRST + timedelta(2)).results, "judging writes nothing"
    assert world.lake.open("acme", COPY_DAILY).version() == before


def test_a_new_template_is_judged_from_its_own_first_day(world: World) -> None:
    an_org(world)
    for at in range(5):
        send_day(world, FIRST + timedelta(at), 30, 30)
    last = FIRST + timedelta(5)
    send_day(world, last, 30, 30, ids=("601", "602"))
    two = an_org(world, WELCOME, {
        "id": "two", "treatment": {"template_id": "601", "campaign_id": "9001"},
        "control": {"template_id": "602", "campaign_id": "9001"},
    })  # fmt: skip
    assert [one.first_day for one in looked_at(world, two, last).results] == [FIRST, last]


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
    rebuild(world, day)
    judged = looked_at(world, org, day)
    key = judged.results[0].key
    assert key is not None
    assert (key.comparison.variance, key.comparison.treatment.users) == ("partly", 30 + 30)
