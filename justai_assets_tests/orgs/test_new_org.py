from __future__ import annotations

import io
import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from justai_assets.cli import app, run
from justai_assets.orgs.new_org import Answers, NewOrgError, create, first_day, next_steps, template_of
from justai_assets.orgs.org_loader import OrgFileError, load_org

DAY = date(2026, 1, 1)
WEBHOOKS = Answers("acme", DAY, "iterable_webhooks", ("journey_webhooks", "redshift"), {"290146": "purchase"})


@pytest.mark.parametrize(
    "answers",
    [
        WEBHOOKS,
        Answers("a1", DAY, "iterable_webhooks", ("chameleon_webhooks",), window_hours=72),
        Answers("1-org", DAY, "redshift"),
        Answers("b", DAY, "databricks"),
        Answers("c", DAY, "delta_share", share_table="share.schema.table"),
    ],
)
def test_the_file_loads_as_what_was_answered(tmp_path: Path, answers: Answers) -> None:
    org = create(tmp_path / "orgs", answers)
    assert org == load_org(tmp_path / "orgs" / f"{answers.slug}.yaml")
    assert (org.slug, org.start_date, org.engagement) == (answers.slug, DAY, answers.engagement)
    assert org.custom == answers.custom
    assert org.attribution.window_hours == answers.window_hours
    assert org.unread_sources == ()
    assert org.closed_sources == {}


def test_an_org_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("mine")
    with pytest.raises(NewOrgError, match="is there already"):
        create(tmp_path, WEBHOOKS)
    assert (tmp_path / "acme.yaml").read_text() == "mine"


@pytest.mark.parametrize("slug", ["Acme", "../acme", "", "a/b", "-a", "a" * 64])
def test_a_slug_that_is_none_writes_nothing(tmp_path: Path, slug: str) -> None:
    with pytest.raises(NewOrgError, match="slug"):
        create(tmp_path / "orgs", Answers(slug, DAY, "redshift"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "answers",
    [
        Answers("acme", DAY, "journey_webhooks"),
        Answers("acme", DAY, "iterable_webhooks", ("journey_webhooks",)),
        Answers("acme", DAY, "delta_share"),
        Answers("acme", DAY, "redshift", ("databricks",)),
        Answers("acme", DAY, "redshift", window_hours=100),
    ],
)
def test_answers_that_make_no_org_write_nothing(tmp_path: Path, answers: Answers) -> None:
    with pytest.raises(OrgFileError) as found:
        create(tmp_path, answers)
    assert {line.partition(": ")[0] for line in str(found.value).splitlines()} == {str(tmp_path / "acme.yaml")}
    assert list(tmp_path.iterdir()) == []


def test_the_next_steps_are_commands_there_are_and_name_every_secret(tmp_path: Path) -> None:
    steps = next_steps(create(tmp_path, WEBHOOKS))
    assert len(steps) == 3
    assert "ACME_SALT" in steps[0]
    assert steps[0].count("ACME_API_KEY") == 1
    commands = [shlex.split(part) for step in steps for part in step.split("`") if part.startswith("justai ")]
    assert [one[1:3] for one in commands] == [
        ["org", "check"], ["connect", "iterable_webhooks"], ["connect", "journey_webhooks"], ["connect", "redshift"],
        ["doctor", "--org"],
    ]  # fmt: skip
    for command in commands:
        app.parse_args(command[1:], exit_on_error=False, print_error=False)


def test_the_command_writes_the_file_and_says_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(tmp_path))
    given = [
        "--engagement",
        "iterable_webhooks",
        "--custom",
        "journey_webhooks",
        "redshift",
        "--event",
        "290146=purchase",
    ]
    assert run(["org", "new", "acme", *given, "--start-date", "2026-01-01"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 4
    assert load_org(tmp_path / "acme.yaml").custom == ("journey_webhooks", "redshift")
    assert run(["org", "new", "acme", *given]) == 1
    assert "is there already" in capsys.readouterr().err


def test_without_a_terminal_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for more, said in (
        ([], "give --engagement"),
        (["--engagement", "iterable_webhooks", "--custom", "journey_webhooks"], "give --event"),
        (["--engagement", "redshift", "--event", "x"], "workflowId=name"),
    ):
        assert run(["org", "new", "acme", *more]) == 1
        assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_at_a_terminal_what_was_not_given_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(tmp_path))
    monkeypatch.setattr("sys.stdin", Terminal("\n\n290146=purchase 7=signup\n"))
    assert run(["org", "new", "acme"]) == 0
    org = load_org(tmp_path / "acme.yaml")
    assert org.engagement == "iterable_webhooks"
    assert org.sources.journey_webhooks is not None
    assert org.sources.journey_webhooks.events == {"290146": "purchase", "7": "signup"}


def test_a_template_of_the_command_line_is_that_of_the_org_file(tmp_path: Path) -> None:
    text = "welcome-email,treatment=501/9001,control=502/9002,key_metric=purchase,control_share=0.2"
    answers = replace(WEBHOOKS, templates=(template_of(text),))
    (found,) = create(tmp_path, answers).templates
    assert (found.id, found.key_metric, found.control_share) == ("welcome-email", "purchase", 0.2)
    assert (found.treatment.template_id, found.treatment.campaign_id) == ("501", "9001")
    assert found.control is not None
    assert found.control.campaign_id == "9002"


@pytest.mark.parametrize("text", ["", "welcome", "treatment=501/9001", "w,treatment=501", "w,treatment=1/2,colour=red"])
def test_a_template_that_is_not_described_is_refused(text: str) -> None:
    with pytest.raises(NewOrgError, match="does not describe a template"):
        template_of(text)


def test_an_org_that_names_no_day_starts_where_its_files_do_or_before_the_first_event_can_look_for_sends() -> None:
    assert first_day([], DAY) == date(2025, 12, 29)
    assert first_day([date(2025, 11, 1), DAY], DAY) == date(2025, 11, 1)
    assert first_day([DAY], DAY) == date(2025, 12, 29)
