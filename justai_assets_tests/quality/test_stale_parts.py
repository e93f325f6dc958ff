from __future__ import annotations

import json
import os
import time

from justai_assets.contract.tables import CUSTOM_EVENTS
from justai_assets.lake.ledger import QUARANTINED, RECEIVED, Fate
from justai_assets.lake.store import Lake
from justai_assets.landing.landing_paths import day_prefix
from justai_assets.quality.day_result import Verdict
from justai_assets.quality.stale_parts import stale_parts
from justai_assets.storage import Root
from justai_assets_tests.quality.lakes import DAY, ONE, SLUG, write_fates

FOLDER = day_prefix("redshift", SLUG, DAY)


def land(landing: Root, **hours_ago: float) -> None:
    for name, hours in hours_ago.items():
        landing.write(f"{FOLDER}/{name}.parquet", b"not read here")
        at = time.time() - hours * 3600
        os.utime(landing.local(f"{FOLDER}/{name}.parquet"), (at, at))


def judge(landing: Root, lake: Lake) -> Verdict:
    return stale_parts(landing, lake, SLUG, CUSTOM_EVENTS, ["redshift"], ONE)[0]


def test_parts_of_one_export_are_sound(landing: Root, lake: Lake) -> None:
    land(landing, a=1.0, b=1.2)
    assert judge(landing, lake).is_sound
    assert judge(landing, lake).numbers["parts"] == 2


def test_parts_of_two_exports_warn(landing: Root, lake: Lake) -> None:
    land(landing, a=30.0, b=1.0)
    assert judge(landing, lake).warnings == ("redshift: parts written 29.0 h apart, and no manifest says which count",)


def test_a_manifest_settles_which_parts_count(landing: Root, lake: Lake) -> None:
    land(landing, a=30.0, b=1.0)
    entries = [{"url": f"s3://landing/{FOLDER}/b.parquet", "mandatory": True, "meta": {"record_count": 1}}]
    landing.write(f"{FOLDER}/manifest", json.dumps({"entries": entries}).encode())
    assert judge(landing, lake).is_sound


def test_refused_parts_warn_and_missing_ones_fail(landing: Root, lake: Lake) -> None:
    fates = [
        Fate(DAY, "redshift", QUARANTINED, 12, "not_committed"),
        Fate(DAY, "redshift", QUARANTINED, 40, "missing_file"),
    ]
    write_fates(lake, CUSTOM_EVENTS.name, fates)
    verdict = judge(landing, lake)
    assert verdict.problems == ("40 records announced but not there",)
    assert verdict.warnings == ("12 records of uncommitted or earlier parts lie there, refused",)


def test_refusals_of_other_doors_are_not_this_checks(landing: Root, lake: Lake) -> None:
    write_fates(
        lake,
        CUSTOM_EVENTS.name,
        [Fate(DAY, "databricks", QUARANTINED, 12, "not_committed"), Fate(DAY, "redshift", RECEIVED, 5)],
    )
    assert judge(landing, lake).is_sound
