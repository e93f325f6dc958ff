from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from justai_assets.cli import app, run
from justai_assets.connect.customer import ConnectError, Customer
from justai_assets.connect.kit import kit
from justai_assets.orgs.org_loader import load_org
from justai_assets.orgs.org_model import Org
from justai_assets.sources.registry import configurable
from justai_assets_tests.grammar import parsed, split, statements_of_python
from justai_assets_tests.world import UNIFIED_ORG, WEBHOOK_ORG, World

SECRETS = {"ACME_API_KEY": "key-that-must-not-be-printed", "ACME_CHAMELEON": "secret-that-must-not-be-printed"}
SOURCES: dict[str, Any] = {
    **WEBHOOK_ORG["sources"],
    "journey_webhooks": {"api_key": "env:ACME_API_KEY", "events": {"290146": "purchase", "7": "signup"}},
    "chameleon_webhooks": {"signing_secret": "env:ACME_CHAMELEON"},
}
FILLED = {"account": "123456789012", "cluster": "warehouse", "database_user": "exporter", "external_id": "id-1"}


@dataclasses.dataclass(frozen=True)
class Step:
    title: str
    text: str
    code: str
    language: str


STEP = re.compile(
    r"(?P<number>\d+)\. (?P<title>[^\n]+)\n"
    r"(?:\n(?P<text>(?:[^`\n][^\n]*\n)+))?"
    r"(?:\n```(?P<language>[a-z]+)\n(?P<code>.*\S)\n```\n)?",
    re.DOTALL,
)
"""A title; it may have a paragraph, and it may have one fence. A blank line stands before each."""


def steps_of(page: str) -> list[Step]:
    heading, *parts = re.split(r"^## (?=\d+\. )", page, flags=re.MULTILINE)
    assert re.fullmatch(r"# Connect [a-z_]+ for [a-z-]+\n\n", heading)
    steps = []
    for number, part in enumerate(parts, 1):
        found = STEP.fullmatch(part.removesuffix("\n") if number < len(parts) else part)
        assert found, part
        assert found["number"] == str(number)
        steps.append(Step(found["title"], found["text"] or "", found["code"] or "", found["language"] or ""))
    return steps


@pytest.fixture
def customer(world: World, monkeypatch: pytest.MonkeyPatch) -> Customer:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return Customer(world.add_org(WEBHOOK_ORG, sources=SOURCES), "s3://drops/landing", **FILLED)


def add(door: str, customer: Customer, folder: Path) -> Org:
    """The org file with the lines that the kit's last step gives."""
    *_, last = steps_of(kit(door, customer))
    assert last.title == f"We add the source to {customer.org.slug}.yaml"
    file = folder / "orgs" / f"{customer.org.slug}.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    changes = yaml.safe_load(last.code)
    if "Remove custom" in last.text:
        del content["custom"]
    sources = {**content["sources"], **changes.pop("sources")}
    file.write_text(yaml.safe_dump({**content, **changes, "sources": sources}), encoding="utf-8")
    return load_org(file)


def codes(page: str, language: str) -> list[str]:
    return [step.code for step in steps_of(page) if step.language == language and step.code]


@pytest.mark.parametrize("door", configurable())
def test_every_text_to_paste_is_what_its_language_says(customer: Customer, door: str) -> None:
    page = kit(door, customer)
    dialect = "redshift" if door == "redshift" else "databricks"
    for text in codes(page, "json"):
        assert isinstance(json.loads(text), dict)
    for text in codes(page, "sql"):
        for statement in split(text):
            parsed(statement, dialect)
    for text in codes(page, "url"):
        parts = urlsplit(text)
        assert (parts.scheme, parts.netloc) == ("https", "worker.justwords.ai")
        assert parts.path.endswith("/acme")
        assert "©" not in text
    for text in codes(page, "header"):
        assert re.fullmatch(r"[A-Za-z-]+: <the secret behind [^<>\n]+>", text)
    for text in codes(page, "yaml"):
        assert isinstance(yaml.safe_load(text), dict)
    for text in codes(page, "python"):
        for statement in statements_of_python(text):
            parsed(statement, dialect)
    for text in codes(page, "shell"):
        program, *arguments = shlex.split(text)
        if program == "justai":
            app.parse_args(arguments, exit_on_error=False, print_error=False)
        if program == "databricks":
            assert arguments[:2] == ["storage-credentials", "create"]
            assert json.loads(arguments[3])["aws_iam_role"]["role_arn"].endswith("role/justai-databricks-acme")


@pytest.mark.parametrize("door", configurable())
def test_no_secret_is_printed_and_nothing_is_left_open_that_was_given(customer: Customer, door: str) -> None:
    text = kit(door, customer)
    for secret in SECRETS.values():
        assert secret not in text
    for placeholder in ("<account-id>", "<cluster-name>", "<database-user>", "<storage-credential-external-id>"):
        assert placeholder not in text


def test_the_drops_of_one_org_are_named_by_bucket_prefix_and_slash(customer: Customer) -> None:
    for door in ("redshift", "databricks"):
        text = kit(door, customer)
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
    page = kit("journey_webhooks", customer)
    assert json.loads(codes(page, "json")[0]) == {"email": "{{email}}", "workflowId": "{{workflowId}}"}
    assert yaml.safe_load(codes(page, "yaml")[0]) == {"290146": "purchase", "7": "signup"}
    assert codes(page, "header") == ["X-Api-Key: <the secret behind env:ACME_API_KEY>"]


def test_a_role_without_delete_gets_the_manifest_form_and_no_delete(customer: Customer) -> None:
    without = Customer(customer.org, customer.landing, may_delete=False, **FILLED)
    text = kit("redshift", without)
    assert "MANIFEST VERBOSE" in text
    assert "CLEANPATH\n" not in text
    assert '"s3:DeleteObject"' not in text
    with pytest.raises(ConnectError, match="cannot do without s3:DeleteObject"):
        kit("databricks", without)


@pytest.mark.parametrize("chosen", [None, "custom_events"])
@pytest.mark.parametrize("door", ["redshift", "databricks", "delta_share", "chameleon_webhooks", "journey_webhooks"])
def test_a_source_the_org_lacks_ends_with_lines_that_make_an_org_which_reads_it(
    world: World, door: str, chosen: str | None
) -> None:
    sources = {"iterable_webhooks": {"api_key": "env:K"}, "journey_webhooks": {"events": {"7": "signup"}}}
    if door == "journey_webhooks":
        org = world.add_org(UNIFIED_ORG)
    else:
        org = world.add_org({**WEBHOOK_ORG, "custom": ["journey_webhooks"], "sources": sources})
    after = add(door, Customer(org, "s3://drops", chosen=chosen), world.folder)
    assert door not in after.unread_sources
    assert door not in after.closed_sources
    if door in {"redshift", "databricks"}:
        assert after.sources.content(door) == (chosen or "unified_events")
        assert after.is_unified == (chosen is None)


def test_a_unified_org_that_takes_webhooks_is_told_to_change_its_engagement(world: World) -> None:
    after = add("iterable_webhooks", Customer(world.add_org(UNIFIED_ORG), "s3://drops"), world.folder)
    assert after.engagement == "iterable_webhooks"


def test_what_the_org_file_says_a_drop_brings_is_what_its_export_brings(customer: Customer) -> None:
    (script,) = [text for text in codes(kit("redshift", customer), "sql") if "UNLOAD" in text]
    assert "user_id_or_email" in script
    assert "template_id" not in script
    other = dataclasses.replace(customer, chosen="unified_events")
    with pytest.raises(ConnectError, match=r"says sources\.redshift\.content: custom_events, not unified_events"):
        kit("redshift", other)


def test_a_webhook_door_without_a_key_begins_with_the_key_and_names_it_in_its_header(world: World) -> None:
    org = world.add_org(WEBHOOK_ORG)
    for door, added in (("iterable_webhooks", {}), ("journey_webhooks", {"events": {"7": "signup"}})):
        first, *others = steps_of(kit(door, Customer(org, "s3://drops")))
        assert first.title == "We set a key first"
        assert "refuses every call" in first.text
        kind = type(getattr(org.sources, door))
        assert not kind.model_validate({**added, **yaml.safe_load(first.code)}).accepts_nothing
        header = next(step for step in others if step.language == "header")
        assert header.code == "X-Api-Key: <the secret behind env:ACME_API_KEY>"


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ({"api_key": "env:A"}, "X-Api-Key: <the secret behind env:A>"),
        ({"authorization": "env:B"}, "Authorization: <the secret behind env:B>"),
        ({"allow_unauthenticated": True}, None),
    ],
)
def test_the_iterable_header_is_the_one_the_door_asks_for(
    world: World, source: dict[str, Any], header: str | None
) -> None:
    org = world.add_org(WEBHOOK_ORG, sources={**WEBHOOK_ORG["sources"], "iterable_webhooks": source})
    found = codes(kit("iterable_webhooks", Customer(org, "s3://drops")), "header")
    assert found[:-1] == ([header] if header else [])


def test_an_unknown_region_stays_open_and_the_unload_names_the_buckets(customer: Customer) -> None:
    text = kit("redshift", customer)
    assert "arn:aws:redshift:<region>:123456789012:dbuser:warehouse/exporter" in text
    assert "REGION '<bucket-region>'" in text
    there = dataclasses.replace(customer, region="eu-west-1", bucket_region="us-east-2")
    text = kit("redshift", there)
    assert "arn:aws:redshift:eu-west-1:123456789012:dbuser:warehouse/exporter" in text
    assert "REGION 'us-east-2'" in text
    for wrong in ({"region": "mars"}, {"bucket_region": "mars"}):
        with pytest.raises(ConnectError, match="not a region"):
            dataclasses.replace(customer, **wrong)


def test_what_the_writers_of_a_workspace_need_is_granted_to_the_group_that_is_named(customer: Customer) -> None:
    granted = codes(kit("databricks", dataclasses.replace(customer, writers="Data Team")), "sql")
    lines = [line for text in granted for line in text.splitlines() if line.startswith("GRANT")]
    assert all(line.endswith("TO `Data Team`;") for line in lines)
    privileges = {line.split(" ON ")[0].removeprefix("GRANT ") for line in lines}
    assert privileges == {
        "READ FILES", "WRITE FILES", "CREATE EXTERNAL TABLE", "USE CATALOG", "CREATE SCHEMA", "SELECT",
    }  # fmt: skip
    assert "`<writers-group>`" in kit("databricks", customer)
    with pytest.raises(ConnectError, match="not a group"):
        dataclasses.replace(customer, writers="a`b")


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
    assert "s3://justwords-metrics-ingest/redshift/acme/" in kit("redshift", local)
