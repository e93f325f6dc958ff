from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from justai_assets.cli import app, run
from justai_assets.connect.customer import Customer
from justai_assets.connect.kit import DOORS, kit
from justai_assets.connect.policies import ConnectError
from justai_assets.connect.step import Step, rendered
from justai_assets_tests.grammar import parsed, split
from justai_assets_tests.world import WEBHOOK_ORG, World

SECRETS = {"ACME_API_KEY": "key-that-must-not-be-printed", "ACME_CHAMELEON": "secret-that-must-not-be-printed"}
SOURCES: dict[str, Any] = {
    **WEBHOOK_ORG["sources"],
    "journey_webhooks": {"api_key": "env:ACME_API_KEY", "events": {"290146": "purchase", "7": "signup"}},
    "chameleon_webhooks": {"signing_secret": "env:ACME_CHAMELEON"},
}
FILLED = {"account": "123456789012", "cluster": "warehouse", "database_user": "exporter", "external_id": "id-1"}


@pytest.fixture
def customer(world: World, monkeypatch: pytest.MonkeyPatch) -> Customer:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return Customer(world.add_org(WEBHOOK_ORG, sources=SOURCES), "s3://drops/landing", **FILLED)


def codes(steps: list[Step], language: str) -> list[str]:
    return [step.code for step in steps if step.language == language and step.code]


@pytest.mark.parametrize("door", DOORS)
def test_every_text_to_paste_is_what_its_language_says(customer: Customer, door: str) -> None:
    steps = kit(door, customer)
    dialect = "redshift" if door == "redshift" else "databricks"
    for text in codes(steps, "json"):
        assert isinstance(json.loads(text), dict)
    for text in codes(steps, "sql"):
        for statement in split(text):
            parsed(statement, dialect)
    for text in codes(steps, "url"):
        parts = urlsplit(text)
        assert (parts.scheme, parts.netloc) == ("https", "worker.justwords.ai")
        assert parts.path.endswith("/acme")
        assert "©" not in text
    for text in codes(steps, "header"):
        assert re.fullmatch(r"[A-Za-z-]+: <the secret behind [^<>\n]+>", text)
    for text in codes(steps, "yaml"):
        assert isinstance(yaml.safe_load(text), dict)
    for text in codes(steps, "shell"):
        program, *arguments = shlex.split(text)
        if program == "justai" and arguments[0] != "doctor":
            app.parse_args(arguments, exit_on_error=False, print_error=False)
        if program == "databricks":
            assert arguments[:2] == ["storage-credentials", "create"]
            assert json.loads(arguments[3])["aws_iam_role"]["role_arn"].endswith("role/justai-databricks-acme")


@pytest.mark.parametrize("door", DOORS)
def test_no_secret_is_printed_and_nothing_is_left_open_that_was_given(customer: Customer, door: str) -> None:
    text = rendered(kit(door, customer))
    for secret in SECRETS.values():
        assert secret not in text
    for placeholder in ("<account-id>", "<cluster-name>", "<database-user>", "<storage-credential-external-id>"):
        assert placeholder not in text


def test_the_drops_of_one_org_are_named_by_bucket_prefix_and_slash(customer: Customer) -> None:
    for door in ("redshift", "databricks"):
        text = rendered(kit(door, customer))
        assert f"s3://drops/landing/{door}/acme/" in text
        assert f"arn:aws:s3:::drops/landing/{door}/acme/*" in text
        assert not re.search(rf"{door}/acme(?!/)", text)


def test_the_data_feed_passes_each_parameter_by_itself(customer: Customer) -> None:
    (feed,) = [text for text in codes(kit("iterable_webhooks", customer), "url") if "/api/generate/" in text]
    assert [name for name, _ in parse_qsl(urlsplit(feed).query)] == [
        "template_id", "tracking_id", "copy_id", "user_id",
    ]  # fmt: skip
    webhook = codes(kit("iterable_webhooks", customer), "url")[0]
    assert webhook == "https://worker.justwords.ai/api/webhook/itbl/acme?campaignId={{campaignId}}"


def test_the_journey_body_is_the_documented_one_and_its_events_are_the_orgs(customer: Customer) -> None:
    steps = kit("journey_webhooks", customer)
    assert json.loads(codes(steps, "json")[0]) == {"email": "{{email}}", "workflowId": "{{workflowId}}"}
    assert yaml.safe_load(codes(steps, "yaml")[0]) == {"290146": "purchase", "7": "signup"}
    assert codes(steps, "header") == ["X-Api-Key: <the secret behind env:ACME_API_KEY>"]


def test_a_role_without_delete_gets_the_manifest_form_and_no_delete(customer: Customer) -> None:
    without = Customer(customer.org, customer.landing, may_delete=False, **FILLED)
    text = rendered(kit("redshift", without))
    assert "MANIFEST VERBOSE" in text
    assert "CLEANPATH;" not in text
    assert '"s3:DeleteObject"' not in text


def test_a_door_the_org_lacks_ends_with_the_entry_it_needs(customer: Customer) -> None:
    last = kit("delta_share", customer)[-1]
    assert last.title == "We add the door to acme.yaml"
    assert set(yaml.safe_load(last.code)) == {"delta_share"}


def test_an_unknown_door_and_a_bad_address_are_refused(customer: Customer) -> None:
    with pytest.raises(ConnectError, match="choose iterable_webhooks"):
        kit("fax", customer)
    for url in ("http://a.example", "https://a.example/path", "a.example"):
        with pytest.raises(ConnectError, match="base URL"):
            Customer(customer.org, customer.landing, base_url=url)


def test_the_command_prints_markdown(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.add_org(WEBHOOK_ORG)
    assert run(["connect", "redshift", "--org", "acme", "--account", "123456789012", "--bucket", "drops"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Connect redshift for acme\n\n## 1. ")
    assert out.count("```") % 2 == 0
    assert run(["connect", "fax", "--org", "acme"]) == 1
    assert "choose iterable_webhooks" in capsys.readouterr().err


def test_the_landing_bucket_is_the_documented_one_when_landing_is_on_disk(customer: Customer, tmp_path: Path) -> None:
    local = Customer(customer.org, str(tmp_path), **FILLED)
    assert "s3://justwords-metrics-ingest/redshift/acme/" in rendered(kit("redshift", local))
