from datetime import timedelta

import polars as pl

from justai_assets.contract.days import Days
from justai_assets.contract.tables import COHORT_COUNTS
from justai_assets.metrics.experiments.cohorts import Cohorts, cohorts, counted_events
from justai_assets.metrics.kept_cohorts import KeptCohorts
from justai_assets.metrics.streams import conversions_of, engagement_of
from justai_assets.orgs.model import Org
from justai_assets_tests.metrics.events import FIRST, WELCOME, an_org, send_day
from justai_assets_tests.world import World

DAY = Days(FIRST, FIRST)


def counted(world: World, org: Org) -> Cohorts:
    events = counted_events(org)
    streams = (engagement_of(org, world.lake, DAY), conversions_of(org, world.lake, DAY))
    return cohorts(*streams, org.templates, org.attribution, DAY, events=events)


def test_a_kept_day_comes_back_as_it_was(world: World) -> None:
    org = an_org(world)
    send_day(world, FIRST, 30, 20)
    found = counted(world, org)
    KeptCohorts.read(org, world.lake, DAY).keep(FIRST, found, org.templates)
    kept = KeptCohorts.read(org, world.lake, DAY)
    back = kept.get(FIRST, org.templates, exactly=True)
    assert back is not None
    assert back.counts.sort(back.counts.columns).equals(found.counts.sort(found.counts.columns))
    assert back.funnel.sort("template").equals(found.funnel.sort("template"))
    assert kept.people([FIRST]).collect().sort("user", "arm", "metric").equals(
        found.people.sort("user", "arm", "metric")
    )  # fmt: skip
    assert kept.people_rows([FIRST]) == found.people.height


def test_a_day_of_nothing_is_kept_too(world: World) -> None:
    org = an_org(world)
    send_day(world, FIRST, 0, 0)
    KeptCohorts.read(org, world.lake, DAY).keep(FIRST, counted(world, org), org.templates)
    back = KeptCohorts.read(org, world.lake, DAY).get(FIRST, org.templates, exactly=True)
    assert back is not None
    assert back.counts.is_empty()


def test_another_rule_other_ids_or_a_funnel_over_more_templates_are_not_what_was_kept(world: World) -> None:
    send_day(world, FIRST, 30, 20)
    other = {"id": "other", "treatment": {"template_id": "7", "campaign_id": "1"}}
    both = an_org(world, WELCOME, other)
    KeptCohorts.read(both, world.lake, DAY).keep(FIRST, counted(world, both), both.templates)
    one = an_org(world)
    kept = KeptCohorts.read(one, world.lake, DAY)
    assert kept.get(FIRST, one.templates, exactly=False) is not None
    assert kept.get(FIRST, one.templates, exactly=True) is None
    moved = an_org(world, WELCOME | {"control": {"template_id": "9", "campaign_id": "9001"}})
    assert KeptCohorts.read(moved, world.lake, DAY).get(FIRST, moved.templates, exactly=False) is None
    for changes in ({"attribution": {"window_hours": 48}}, {"experiments": {"events": ["renewal"]}}):
        ruled = an_org(world, **changes)
        assert KeptCohorts.read(ruled, world.lake, DAY).get(FIRST, ruled.templates, exactly=False) is None


def test_what_followed_within_three_days_is_part_of_what_a_day_was_counted_from(world: World) -> None:
    org = an_org(world)
    for at in range(5):
        send_day(world, FIRST + timedelta(at), 3, 3)
    KeptCohorts.read(org, world.lake, DAY).keep(FIRST, counted(world, org), org.templates)
    for at, is_kept in ((4, True), (3, False)):
        send_day(world, FIRST + timedelta(at), 4, 3)
        back = KeptCohorts.read(org, world.lake, DAY).get(FIRST, org.templates, exactly=True)
        assert (back is not None) == is_kept


def test_the_counts_that_are_kept_name_nobody(world: World) -> None:
    org = an_org(world)
    send_day(world, FIRST, 30, 20)
    KeptCohorts.read(org, world.lake, DAY).keep(FIRST, counted(world, org), org.templates)
    assert not COHORT_COUNTS.personal
    text = world.table(COHORT_COUNTS).select(pl.col(pl.String)).unpivot()["value"].drop_nulls()
    assert not text.str.contains(f"{3:032x}").any()
