"""The Dagster UI on the demo, driven by Chromium: what a person sees and does in the first ten minutes.

With JUSTAI_UPDATE_IMAGES=1 the pictures of docs/images are taken anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from justai_assets.demo.demo_home import DemoPlace
from justai_assets_tests.e2e.servers import PROJECT, free_port, process, wait_for_port

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE_SECONDS = 300
SCREEN = {"width": 1280, "height": 800}
WIDE_SCREEN = {"width": 2200, "height": 1200}
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass(frozen=True)
class Ui:
    """The running UI, a page in it, and the instance behind it."""

    page: Page
    base: str
    instance: dg.DagsterInstance
    last: date
    images: Path

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)

    def picture(self, name: str) -> None:
        """A screenshot once nothing is being fetched any more."""
        self.page.wait_for_timeout(2000)
        self.page.screenshot(path=self.images / f"{name}.png")

    def launch(self, partitions: str, button: str) -> None:
        """Materialize partitions of the asset that is open, as its dialog offers."""
        self.page.get_by_role("button", name="Materialize…").click()
        dialog = self.page.get_by_role("dialog")
        dialog = dialog if dialog.count() else self.page.locator(".bp5-dialog")
        field = dialog.get_by_role("textbox").first
        field.fill(partitions)
        field.press("Enter")
        launch = dialog.get_by_role("button", name=re.compile(button))
        expect(launch).to_be_enabled()
        launch.click()
        expect(dialog).to_have_count(0)

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(1)

    def materialized(self, table: str, day: date) -> int:
        """How often a day of a table was materialized."""
        found = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(["acme", table]), asset_partitions=[str(day)]), limit=100
        )
        return len(found.records)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    is_for_docs = bool(os.environ.get("JUSTAI_UPDATE_IMAGES"))
    # The lake's address is in the pictures: a plain one, and numbers worth looking at.
    home = Path(tempfile.gettempdir()) / "justai-demo" if is_for_docs else tmp_path_factory.mktemp("demo") / "home"
    last = datetime.now(UTC).date() - timedelta(days=1)
    # The automation would rebuild days by itself and change what the test counts.
    environment = {**DemoPlace(home).environment(), "JUSTAI_AUTOMATION_SECONDS": "3600"}
    command = [sys.executable, "-c", "from justai_assets.cli import main; main()", "demo", "--home", str(home)]
    done = subprocess.run(
        [*command, "--sends", "1000" if is_for_docs else "60", "--last", str(last)],
        cwd=PROJECT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    port = free_port()
    log = home / "ui.log"
    arguments = ["dev", "-m", "justai_assets.definitions", "--host", "127.0.0.1", "--port", str(port)]
    images = PROJECT / "docs" / "images" if is_for_docs else tmp_path_factory.mktemp("images")
    with process("dagster", arguments, environment, log) as running, mock.patch.dict(os.environ, environment):
        wait_for_port(port, running, log)
        with dg.DagsterInstance.get() as instance, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            page = browser.new_page(viewport=SCREEN)
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            expect.set_options(timeout=PATIENCE_SECONDS * 1000)
            yield Ui(page, f"http://127.0.0.1:{port}", instance, last, images)
            browser.close()


def test_the_graph_of_an_org_shows_its_doors_and_tables(ui: Ui) -> None:
    """Every org is a box of the lineage; opened, it shows the way of its events from the doors to the report."""
    # An asset shows its state, and not its name alone, only where it has room.
    ui.page.set_viewport_size(WIDE_SCREEN)
    ui.open("/asset-groups")
    shown = "visible=true"
    for group in ("acme", "globex", "initech", "marts"):
        expect(ui.page.get_by_text(group, exact=True).locator(shown).last).to_be_visible()
    ui.page.get_by_text("acme", exact=True).locator(shown).last.click()
    expect(ui.page).to_have_url(re.compile("expanded=.*acme"))
    # Opened by its address, the graph fits the screen.
    ui.open(ui.page.url.removeprefix(ui.base))
    doors = ("iterable_webhooks", "journey_webhooks", "redshift_drop")
    tables = ("esp_events", "custom_events", "attributed_events", "unified_events", "attribution_metrics")
    for name in (*doors, *tables, "undated_records", "experiment_results", "report"):
        expect(ui.page.get_by_text(name, exact=True).locator(shown).first).to_be_visible()
    expect(ui.page.get_by_text("databricks_drop", exact=True).locator(shown)).to_have_count(0)
    expect(ui.page.get_by_text("7 / 7 Passed", exact=True).first).to_be_visible()
    ui.picture("asset-graph")
    ui.page.set_viewport_size(SCREEN)


def test_one_day_is_materialized_by_hand_and_shows_its_numbers(ui: Ui) -> None:
    before = ui.materialized("unified_events", ui.last)
    ui.open("/assets/acme/unified_events?view=partitions")
    ui.launch(str(ui.last), "^Launch")
    ui.until(lambda: ui.materialized("unified_events", ui.last) == before + 1)
    ui.open(f"/assets/acme/unified_events?view=partitions&partition={ui.last}")
    for text in ("landing files", "received", "dagster/partition_row_count"):
        expect(ui.page.get_by_text(text, exact=True).first).to_be_visible()
    ui.picture("one-day")


def test_a_range_is_backfilled_as_one_run(ui: Ui) -> None:
    first = ui.last - timedelta(days=2)
    before = {day: ui.materialized("custom_events", ui.last - timedelta(days=day)) for day in range(4)}
    ui.open("/assets/acme/custom_events?view=partitions")
    ui.launch(f"[{first}...{ui.last}]", "^Launch")
    ui.until(lambda: any(one.status.value.startswith("COMPLETED") for one in ui.instance.get_backfills()))
    (backfill,) = ui.instance.get_backfills()
    assert backfill.status.value == "COMPLETED_SUCCESS"
    runs = ui.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill.backfill_id}))
    assert len(runs) == 1
    after = {day: ui.materialized("custom_events", ui.last - timedelta(days=day)) for day in range(4)}
    assert {day: after[day] - before[day] for day in range(4)} == {0: 1, 1: 1, 2: 1, 3: 0}
    ui.open(f"/runs/b/{backfill.backfill_id}?tab=overview")
    expect(ui.page.get_by_text("Completed").first).to_be_visible()
    ui.picture("backfill")


def test_the_checks_of_a_table_show_their_numbers_day_by_day(ui: Ui) -> None:
    ui.open("/assets/acme/custom_events?view=checks&checkDetail=conservation")
    for name in ("contract", "conservation", "no_pii", "duplicates", "schema_drift", "stale_parts"):
        expect(ui.page.get_by_text(name, exact=True).first).to_be_visible()
    for text in ("by day", "received", "quarantined"):
        expect(ui.page.get_by_text(text, exact=True).first).to_be_visible()
    expect(ui.page.get_by_text("Mend:").first).to_be_visible()
    ui.picture("checks")


def test_a_warning_says_what_is_wrong_and_on_which_day(ui: Ui) -> None:
    ui.open("/assets/acme/custom_events?view=checks&checkDetail=stale_parts")
    said = re.compile(r"1 of \d+ days: \d+ records of uncommitted or earlier parts")
    expect(ui.page.get_by_text(said).first).to_be_visible()
