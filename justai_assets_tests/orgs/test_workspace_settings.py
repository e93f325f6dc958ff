from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from justai_assets.orgs.org_loader import OrgFileError, load_org
from justai_assets.orgs.secrets import references
from justai_assets.orgs.workspace_settings import Databricks
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

WHEEL = "/Volumes/main/justai/code/job.whl"
VOLUME = "/Volumes/main/justai/pipes"
CLUSTER = {"spark_version": "16.4.x-scala2.12", "num_workers": 2}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "volume: /Volumes/catalog/schema/name, or a cluster"),
        ({"cluster": CLUSTER, "existing_cluster_id": "x"}, "remove one"),
        ({"cluster": {"num_workers": 2}}, "spark_version is missing"),
        ({"volume": VOLUME, "client_id": "env:ID"}, "give both or neither"),
        ({"volume": VOLUME, "client_id": "env:ID", "client_secret": "env:S", "token": "env:T"}, "two identities"),
        ({"volume": VOLUME, "token": "dapi-pasted-by-mistake"}, "write env:NAME or file:"),
        ({"volume": "pipes"}, "pattern"),
        ({"volume": VOLUME, "wheel": "job.whl"}, "pattern"),
    ],
)
def test_a_section_that_cannot_work_says_what_to_mend(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Databricks.model_validate({"wheel": WHEEL, **given})
    assert said in str(caught.value.errors(include_input=False))


def test_without_a_cluster_it_is_serverless() -> None:
    assert Databricks(wheel=WHEEL, volume=VOLUME).is_serverless
    assert not Databricks(wheel=WHEEL, cluster=CLUSTER).is_serverless
    assert not Databricks(wheel=WHEEL, existing_cluster_id="x", volume=VOLUME).is_serverless


def test_its_references_are_checked_with_the_org_file(world: World) -> None:
    section = {"wheel": WHEEL, "volume": VOLUME, "token": "env:NO_SUCH_TOKEN"}
    org = world.add_org(WEBHOOK_ORG, engine="databricks", databricks=section)
    assert references(org)["databricks.token"] == "env:NO_SUCH_TOKEN"
    with pytest.raises(OrgFileError, match=r"databricks\.token: env:NO_SUCH_TOKEN is empty or not set"):
        load_org(world.folder / "orgs" / "acme.yaml", check_secrets=True)


@pytest.mark.parametrize(
    ("base", "section", "said"),
    [
        (WEBHOOK_ORG, None, "engine: databricks has no databricks section; add it"),
        (UNIFIED_ORG, {"wheel": WHEEL, "volume": VOLUME}, "there is nothing to attribute; remove engine"),
    ],
)
def test_an_engine_without_what_it_needs_is_refused(
    world: World, base: dict[str, Any], section: dict[str, Any] | None, said: str
) -> None:
    with pytest.raises(OrgFileError, match=said):
        world.add_org(base, engine="databricks", databricks=section)


def test_an_org_without_an_engine_is_on_polars(world: World) -> None:
    assert world.add_org(WEBHOOK_ORG).engine == "polars"
