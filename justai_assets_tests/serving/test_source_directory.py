import os
import shutil
import time
from pathlib import Path

import pytest

from justai_assets.orgs.org_loader import OrgFileError, load_org
from justai_assets.serving.credentials import Verdict
from justai_assets.serving.source_directory import NO_DOOR, NOTHING_KNOWN, Directory
from justai_assets_tests.serving.service import KEY, write_orgs


class Warnings(list[tuple[str, dict[str, str]]]):
    def __call__(self, event: str, facts: dict[str, str]) -> None:
        self.append((event, facts))


def touch(path: Path, text: str) -> None:
    """Change a file so that its state differs whatever the clock's resolution."""
    path.write_text(text)
    now = time.time_ns()
    os.utime(path, ns=(now, now + 1_000_000))


def test_an_org_has_the_doors_of_its_file(base: Path) -> None:
    directory = Directory(base / "orgs", None, Warnings())
    directory.reload()
    assert directory.find("iterable_webhooks", "acme").slug == "acme"
    assert directory.find("chameleon_webhooks", "other") is NO_DOOR
    assert directory.find("iterable_webhooks", "../acme") is NO_DOOR
    assert len(directory) == 5


def test_only_the_orgs_of_the_slice_have_doors(base: Path) -> None:
    directory = Directory(base / "orgs", ("other",), Warnings())
    directory.reload()
    assert directory.find("iterable_webhooks", "acme") is NO_DOOR
    assert directory.find("iterable_webhooks", "other").slug == "other"


def test_a_rotated_secret_counts_after_the_next_reading(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Directory(base / "orgs", None, Warnings())
    directory.reload()
    monkeypatch.setenv("ACME_KEY", "rotated")
    directory.reload()
    credentials = directory.find("iterable_webhooks", "acme").credentials
    assert credentials.of_headers(b"rotated", None) is Verdict.KNOWN
    assert credentials.of_headers(KEY.encode(), None) is Verdict.REFUSED


def test_a_secret_that_vanishes_leaves_the_door_as_it_was_and_is_told_once(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings = Warnings()
    directory = Directory(base / "orgs", None, warnings)
    directory.reload()
    monkeypatch.delenv("ACME_KEY")
    directory.reload()
    directory.reload()
    credentials = directory.find("iterable_webhooks", "acme").credentials
    assert credentials.of_headers(KEY.encode(), None) is Verdict.KNOWN
    assert [event for event, _ in warnings] == ["secret_unreadable"]
    assert KEY not in str(warnings)
    monkeypatch.setenv("ACME_KEY", KEY)
    directory.reload()
    monkeypatch.delenv("ACME_KEY")
    directory.reload()
    assert [event for event, _ in warnings] == ["secret_unreadable"] * 2, "told again when it comes back"


def test_a_secret_that_never_was_puts_its_door_out_of_order_and_no_other(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_CHAMELEON")
    directory = Directory(base / "orgs", None, Warnings())
    directory.reload()
    door = directory.find("chameleon_webhooks", "acme")
    assert (door.slug, door.is_out_of_order, door.label) == (None, True, "acme")
    assert directory.find("iterable_webhooks", "acme").slug == "acme"


def test_a_broken_file_keeps_its_org_and_harms_no_other(base: Path) -> None:
    warnings = Warnings()
    directory = Directory(base / "orgs", None, warnings)
    directory.reload()
    touch(base / "orgs" / "acme.yaml", "slug: [")
    directory.reload()
    assert directory.find("iterable_webhooks", "acme").slug == "acme"
    assert directory.find("iterable_webhooks", "other").slug == "other"
    assert [(event, facts["org"]) for event, facts in warnings] == [("org_file_broken", "acme")]


def test_a_removed_file_closes_its_doors_and_a_new_one_opens_them(base: Path) -> None:
    directory = Directory(base / "orgs", None, Warnings())
    directory.reload()
    text = (base / "orgs" / "other.yaml").read_text()
    (base / "orgs" / "other.yaml").unlink()
    touch(base / "orgs" / "new.yaml", text.replace("slug: other", "slug: new"))
    directory.reload()
    assert directory.find("iterable_webhooks", "other") is NO_DOOR
    assert directory.find("iterable_webhooks", "new").slug == "new"


def test_a_door_that_accepts_nothing_is_told(base: Path) -> None:
    text = (base / "orgs" / "other.yaml").read_text()
    touch(base / "orgs" / "other.yaml", text.replace("{api_key: env:OTHER_KEY}", "{}"))
    warnings = Warnings()
    directory = Directory(base / "orgs", None, warnings)
    directory.reload()
    assert [(event, facts["org"]) for event, facts in warnings] == [("door_accepts_nothing", "other")]
    assert directory.find("iterable_webhooks", "other").credentials.of_headers(b"x", b"x") is Verdict.REFUSED


def test_a_bare_entry_is_a_valid_org_file_whose_door_is_closed(base: Path) -> None:
    file = base / "orgs" / "acme.yaml"
    assert load_org(file).closed_sources == {}
    text = file.read_text()
    file.write_text(
        text.replace("{api_key: env:ACME_KEY, authorization: env:ACME_AUTHORIZATION}", "{}").replace(
            "{api_key: env:ACME_JOURNEY_KEY, events", "{events"
        )
    )
    assert set(load_org(file).closed_sources) == {"iterable_webhooks", "journey_webhooks"}
    open_org = load_org(base / "orgs" / "open-org.yaml")
    assert open_org.closed_sources == {}


def test_every_credential_of_a_door_is_a_reference_that_org_check_resolves(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_SALT", raising=False)
    file = base / "orgs" / "acme.yaml"
    text = file.read_text().replace("env:ACME_CHAMELEON}", "env:ACME_CHAMELEON, previous_signing_secret: env:GONE}")
    file.write_text(text)
    with pytest.raises(OrgFileError) as refused:
        load_org(file, check_secrets=True)
    assert {problem.key for problem in refused.value.problems} == {
        "pseudonym_salt",
        "sources.chameleon_webhooks.previous_signing_secret.0",
    }
    file.write_text(text.replace("env:GONE", "a-secret-by-mistake"))
    with pytest.raises(OrgFileError) as refused:
        load_org(file)
    assert "a-secret-by-mistake" not in str(refused.value)


def test_a_folder_that_was_never_there_has_no_doors_and_refuses_nobody_for_good(tmp_path: Path) -> None:
    warnings = Warnings()
    directory = Directory(tmp_path / "nowhere", None, warnings)
    directory.reload()
    assert len(directory) == 0
    assert directory.find("iterable_webhooks", "acme") is NOTHING_KNOWN
    assert [event for event, _ in warnings] == ["orgs_folder_empty"]


@pytest.mark.parametrize("is_emptied", [True, False])
def test_a_folder_that_goes_away_leaves_every_door_as_it_was(base: Path, is_emptied: bool) -> None:
    warnings = Warnings()
    directory = Directory(base / "orgs", None, warnings)
    directory.reload()
    shutil.rmtree(base / "orgs")
    if is_emptied:
        (base / "orgs").mkdir()
    directory.reload()
    directory.reload()
    assert directory.find("iterable_webhooks", "acme").slug == "acme"
    assert len(directory) == 5
    assert [event for event, _ in warnings] == ["orgs_folder_empty"]
    write_orgs(base)
    (base / "orgs" / "acme.yaml").unlink()
    directory.reload()
    assert directory.find("iterable_webhooks", "acme") is NO_DOOR, "a file that is gone from a folder with others"


def test_an_org_whose_file_never_could_be_read_is_out_of_order_at_every_door(base: Path) -> None:
    (base / "orgs" / "typo.yaml").write_text("slug: [")
    (base / "orgs" / "old.yml").write_text("slug: old")
    directory = Directory(base / "orgs", ("acme", "typo", "old", "forgotten"), Warnings())
    directory.reload()
    for slug in ("typo", "old", "forgotten"):
        assert directory.find("journey_webhooks", slug).is_out_of_order
        assert directory.find("journey_webhooks", slug).label == slug
    assert directory.find("journey_webhooks", "stranger") is NO_DOOR
    assert len(directory) == 3
    (base / "orgs" / "typo.yaml").unlink()
    (base / "orgs" / "old.yml").unlink()
    directory = Directory(base / "orgs", None, Warnings())
    directory.reload()
    assert directory.find("journey_webhooks", "typo") is NO_DOOR


def test_a_link_that_leads_nowhere_a_folder_or_a_nul_in_a_path_harms_no_other_org(base: Path) -> None:
    (base / "orgs" / "gone.yaml").symlink_to("/nonexistent/gone.yaml")
    (base / "orgs" / "folder.yaml").mkdir()
    text = (base / "orgs" / "other.yaml").read_text()
    (base / "orgs" / "nul.yaml").write_text(
        text.replace("slug: other", "slug: nul").replace("env:OTHER_KEY", '"file:/etc/\\0x"')
    )
    warnings = Warnings()
    directory = Directory(base / "orgs", None, warnings)
    directory.reload()
    directory.reload()
    assert len(directory) == 5
    assert {facts["org"] for _, facts in warnings} == {"gone", "folder", "nul"}
    assert all(directory.find("iterable_webhooks", slug).is_out_of_order for slug in ("gone", "folder", "nul"))
