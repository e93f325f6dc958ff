"""The org file's rules: what is valid, and what each mistake says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from justai_assets.orgs.org_loader import OrgFileError, load_org
from justai_assets.orgs.org_model import Org

COMPLETE = """\
slug: acme                       # ^[a-z0-9][a-z0-9-]{0,62}$
start_date: 2026-01-01
pseudonym_salt: env:ACME_SALT
engagement: iterable_webhooks    # the one door that engagement events come from
custom: [journey_webhooks, chameleon_webhooks, redshift]
sources:
  iterable_webhooks: {}
  journey_webhooks: {api_key: env:ACME_API_KEY, events: {"290146": purchase}}     # workflowId -> event_name
  chameleon_webhooks: {signing_secret: env:ACME_CHAMELEON}
  redshift: {content: custom_events}      # columns event_timestamp, event_date, event_name, user_id_or_email
  databricks: {content: unified_events}   # the six contract columns
  delta_share: {profile: file:/run/secrets/acme.share, table: share.schema.table}
attribution: {window_hours: 24, windows: {purchase: 72}, send_events: [emailSend, smsSend, pushSend]}
templates:
  - {id: welcome-email, key_metric: purchase, treatment: {template_id: "501", campaign_id: "9001"}, control: {template_id: "502", campaign_id: "9002"}}
"""


ARM = {"template_id": "501", "campaign_id": "9001"}


def write(folder: Path, content: dict[str, Any] | str, name: str = "acme.yaml") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def changed(**changes: Any) -> dict[str, Any]:
    """The complete example with some keys changed; a value of ... removes the key. `a__b` is a.b."""
    content: dict[str, Any] = yaml.safe_load(COMPLETE)
    for name, value in changes.items():
        *parents, last = name.split("__")
        inner = content
        for parent in parents:
            inner = inner[parent]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return content


def load(folder: Path, **changes: Any) -> Org:
    return load_org(write(folder, changed(**changes)))


def test_the_documented_example_is_valid_word_for_word(tmp_path: Path) -> None:
    org = load_org(write(tmp_path, COMPLETE))
    assert (org.slug, org.start_date, org.engagement) == ("acme", date(2026, 1, 1), "iterable_webhooks")
    assert org.custom == ("journey_webhooks", "chameleon_webhooks", "redshift")
    assert org.sources.journey_webhooks is not None
    assert org.sources.journey_webhooks.events == {"290146": "purchase"}
    assert org.sources.journey_webhooks.api_key == ("env:ACME_API_KEY",)
    assert org.attribution.window_for("purchase") == 72
    assert org.attribution.window_for("signup") == 24
    assert org.templates[0].control is not None
    assert org.unread_sources == ("databricks", "delta_share")
    assert not org.is_unified


def test_the_smallest_org_has_one_door_and_the_documented_defaults(tmp_path: Path) -> None:
    text = "slug: a\nstart_date: 2026-01-01\npseudonym_salt: env:S\nengagement: iterable_webhooks\n"
    text += "sources:\n  iterable_webhooks:\n"
    org = load_org(write(tmp_path, text, "a.yaml"))
    assert org.custom == ()
    assert org.attribution.window_hours == 24
    assert org.attribution.send_events == ("emailSend", "smsSend", "pushSend")


def test_unquoted_ids_of_yaml_are_text(tmp_path: Path) -> None:
    org = load(
        tmp_path,
        sources__journey_webhooks={"events": {290146: "purchase"}},
        templates=[{"id": 7, "treatment": {"template_id": 501, "campaign_id": 9001}}],
    )
    assert org.sources.journey_webhooks is not None
    assert org.sources.journey_webhooks.events == {"290146": "purchase"}
    assert (org.templates[0].id, org.templates[0].treatment.template_id) == ("7", "501")


def test_a_template_says_how_its_split_is_drawn_and_may_not_know_the_share(tmp_path: Path) -> None:
    arm = {"template_id": "1", "campaign_id": "2"}
    org = load(tmp_path, templates=[
        {"id": "a", "treatment": arm, "split_unit": "user", "control_share": None, "experiment_start": date(2026, 2, 1)},
        {"id": "b", "treatment": {**arm, "template_id": "5"}},
    ], experiments={"events": "renewal"})  # fmt: skip
    told, silent = org.templates
    assert (told.split_unit, told.control_share, told.experiment_start) == ("user", None, date(2026, 2, 1))
    assert (silent.split_unit, silent.control_share, silent.experiment_start) == ("message", None, None)
    assert org.experiments.events == ("renewal",)


def test_one_send_event_may_be_named_without_a_list(tmp_path: Path) -> None:
    assert load(tmp_path, attribution__send_events="emailSend").attribution.send_events == ("emailSend",)


def test_a_start_date_may_be_quoted(tmp_path: Path) -> None:
    assert load(tmp_path, start_date="2026-01-01").start_date == date(2026, 1, 1)


def test_a_mistake_between_keys_stands_at_the_key_to_change(tmp_path: Path) -> None:
    for changes, key in (
        ({"engagement": "redshift"}, "engagement"),
        ({"custom": ["redshift", "redshift"]}, "custom"),
        ({"custom": ["databricks"]}, "custom"),
        ({"engine": "databricks"}, "engine"),
    ):
        with pytest.raises(OrgFileError) as caught:
            load(tmp_path, **changes)
        assert [problem.key for problem in caught.value.problems] == [key]
        assert ": org: " not in str(caught.value)


def test_one_custom_door_may_be_named_without_a_list(tmp_path: Path) -> None:
    assert load(tmp_path, custom="redshift").custom == ("redshift",)


@pytest.mark.parametrize("door", ["redshift", "databricks", "delta_share"])
def test_each_door_of_a_unified_stream_can_be_the_engagement_door(door: str, tmp_path: Path) -> None:
    org = load(tmp_path, engagement=door, custom=[], sources__redshift={"content": "unified_events"})
    assert org.is_unified


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"slug": ...}, "slug", "is missing; add it"),
    ({"start_date": ...}, "start_date", "is missing; add it"),
    ({"pseudonym_salt": ...}, "pseudonym_salt", "is missing; add it"),
    ({"engagement": ...}, "engagement", "is missing; add it"),
    ({"sources": ...}, "sources", "is missing; add it"),
    ({"windows": 3}, "windows", "is not a known key; remove it or mend its spelling"),
    ({"sources__redshifts": {}}, "sources.redshifts", "is not a known key"),
    ({"sources__redshift__contents": "x"}, "sources.redshift.contents", "is not a known key"),
    ({"attribution__window": 24}, "attribution.window", "is not a known key"),
    ({"slug": "Acme"}, "slug", "lower-case letters, digits and hyphens"),
    ({"slug": "-acme"}, "slug", "lower-case letters, digits and hyphens"),
    ({"slug": "a" * 64}, "slug", "1 to 63"),
    ({"slug": "acme_eu"}, "slug", "lower-case letters, digits and hyphens"),
    ({"slug": "globex"}, "slug", "rename the file to globex.yaml"),
    ({"start_date": "soon"}, "start_date", "date"),
    ({"engagement": "journey_webhooks"}, "engagement", "iterable_webhooks"),
    ({"engagement": ["iterable_webhooks", "redshift"]}, "engagement", "ONE source.*name one"),
    ({"sources__iterable_webhooks": ...}, "engagement: iterable_webhooks", "add sources.iterable_webhooks"),
    ({"engagement": "redshift"}, "engagement: redshift", "set sources.redshift.content to unified_events"),
    ({"sources__journey_webhooks": ...}, "custom: journey_webhooks", "add sources.journey_webhooks"),
    ({"custom": ["databricks"]}, "custom: databricks", "two sources; set sources.databricks.content to custom_events"),
    ({"custom": ["redshift", "redshift"]}, "custom", "twice; remove the repetition"),
    ({"custom": ["iterable_webhooks"]}, "custom", "carries engagement events; remove it from custom.*journey_webhooks"),
    ({"custom": ["delta_share"]}, "custom", "carries a unified stream.*remove it from custom.*under engagement"),
    ({"custom": "mailgun"}, "custom.0", "must be 'journey_webhooks'"),
    ({"custom": 7}, "custom", "must be a list"),
    ({"start_date": 20260101}, "start_date", "from 1970-01-01 on, written YYYY-MM-DD"),
    ({"start_date": 86400}, "start_date", "written YYYY-MM-DD"),
    ({"start_date": "20260101"}, "start_date", "written YYYY-MM-DD"),
    ({"start_date": "2026-01-01T10:00:00"}, "start_date", "written YYYY-MM-DD"),
    ({"start_date": datetime(2026, 1, 1, 10, tzinfo=UTC)}, "start_date", "written YYYY-MM-DD"),
    ({"start_date": date(1, 1, 1)}, "start_date", "from 1970-01-01 on"),
    ({"start_date": True}, "start_date", "written YYYY-MM-DD"),
    ({"sources__journey_webhooks__events": {"1": "emailSend"}}, "events.1", "emailSend is the name of an engagement"),
    ({"sources__journey_webhooks__events": {"1": "emailUnsubscribe"}}, "events.1", "engagement event"),
    ({"sources__journey_webhooks__events": {"1": "ada@example.com"}}, "events.1", "a letter and no @"),
    ({"sources__journey_webhooks__events": {"1": "12345"}}, "events.1", "a letter and no @"),
    (
        {"attribution__send_events": ["mySend"], "sources__journey_webhooks__events": {"1": "mySend"}},
        "sources.journey_webhooks.events.1: mySend is one of attribution.send_events",
        "take it out of send_events",
    ),
    ({"attribution__window_hours": 24.5}, "attribution.window_hours", "whole number of hours from 1 to 72"),
    ({"sources__redshift__settle_seconds": "soon"}, "settle_seconds", "must be a whole number"),
    ({"sources__iterable_webhooks": 7}, "sources.iterable_webhooks", "must be a mapping"),
    ({"engagement": "databricks"}, "custom: journey_webhooks", "unified stream.*remove it from custom"),
    ({"sources__journey_webhooks": {"events": {}}}, "sources.journey_webhooks.events", "at least 1"),
    ({"sources__journey_webhooks": {"api_key": "env:A"}}, "sources.journey_webhooks.events", "is missing"),
    ({"sources__redshift": {}}, "sources.redshift.content", "is missing; add it"),
    ({"sources__redshift": {"content": "raw"}}, "sources.redshift.content", "custom_events"),
    ({"sources__delta_share__table": "share.table"}, "sources.delta_share.table", "share.schema.table, three"),
    ({"attribution__window_hours": 73}, "attribution.window_hours", "whole number of hours from 1 to 72"),
    ({"attribution__window_hours": 0}, "attribution.window_hours", "whole number of hours from 1 to 72"),
    ({"attribution__windows": {"purchase": 96}}, "attribution.windows.purchase", "from 1 to 72"),
    ({"attribution__send_events": []}, "attribution.send_events", "at least 1"),
    ({"templates": [{"id": "a"}]}, "templates.0.treatment", "is missing; add it"),
    (
        {"templates": [{"id": "a", "treatment": {"template_id": "1", "campaign_id": "2"}}] * 2},
        "templates: a",
        "twice; give each template one entry",
    ),
    (
        {
            "templates": [
                {"id": "a", **{arm: {"template_id": "1", "campaign_id": "2"} for arm in ("treatment", "control")}}
            ]
        },
        "templates.0",
        "same ids; give the control its own",
    ),
    (
        {
            "templates": [
                {
                    "id": name,
                    "treatment": {"template_id": "1", "campaign_id": "2"},
                    "control": {"template_id": "3", "campaign_id": "2"},
                }
                for name in ("a", "b")
            ]
        },
        "templates: a and b have the same ids in both arms",
        "remove one of them",
    ),
    (
        {
            "templates": [
                {
                    "id": "a",
                    "treatment": {"template_id": "1", "campaign_id": "2"},
                    "experiment_start": date(2025, 12, 31),
                }
            ]
        },
        "templates: experiment_start of a is before start_date",
        "give a later day",
    ),
    (
        {"templates": [{"id": "a", "treatment": {"template_id": "1", "campaign_id": "2"}, "split_unit": "household"}]},
        "templates.0.split_unit",
        "message",
    ),
    ({"sources": None}, "sources", ""),
    ({"sources": []}, "sources", ""),
    ({"attribution": 24}, "attribution", ""),
    (
        {"templates": [{"id": "w", "key_metric": "revenue:purchase", "treatment": ARM}]},
        "templates.0.key_metric",
        "write purchase: how many messages",
    ),
    ({"experiments": {"events": ["revenue:purchase"]}}, "experiments.events.0", "write purchase"),
    ({"attribution__windows": {"conversion:purchase": 48}}, "attribution.windows", "write the event's name, purchase"),
]


@pytest.mark.parametrize(("changes", "key", "mend"), MISTAKES)
def test_every_mistake_names_file_key_and_mend(changes: dict[str, Any], key: str, mend: str, tmp_path: Path) -> None:
    path = write(tmp_path, changed(**changes))
    with pytest.raises(OrgFileError) as caught:
        load_org(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert any(key in line for line in lines), lines
    assert caught.match(mend)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OrgFileError) as caught:
        load(tmp_path, pseudonym_salt=..., attribution__window_hours=100, unknown=1)
    assert {problem.key for problem in caught.value.problems} == {
        "pseudonym_salt", "attribution.window_hours", "unknown",
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"pseudonym_salt": "hunter2-secret"},
        {"pseudonym_salt": {"value": "hunter2-secret"}},
        {"sources__journey_webhooks__api_key": ["env:OK", "hunter2-secret"]},
        {"sources__journey_webhooks__api_key": "env:hunter2-secret"},
        {"sources__chameleon_webhooks__signing_secret": "hunter2-secret"},
        {"sources__delta_share__profile": "hunter2-secret"},
        {"sources__delta_share__profile": ["hunter2-secret"]},
    ],
)
def test_a_secret_pasted_where_a_reference_belongs_is_refused_and_never_repeated(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(OrgFileError) as caught:
        load(tmp_path, **changes)
    assert "hunter2" not in str(caught.value) + repr(caught.value) + repr(caught.value.problems)
