from __future__ import annotations

import os
from pathlib import Path

import pytest

from justai_assets.contract.errors import JustAIError
from justai_assets.orgs.org_loader import MAX_ORG_FILE_BYTES, OrgFileError, load_org, load_orgs
from justai_assets.orgs.secrets import SecretError, resolve
from justai_assets.settings import Settings

SMALL = """\
slug: {slug}
start_date: 2026-01-01
pseudonym_salt: env:{salt}
engagement: iterable_webhooks
sources: {{iterable_webhooks: {{}}}}
"""


def write(folder: Path, slug: str, text: str | None = None, suffix: str = ".yaml", salt: str = "SALT") -> Path:
    path = folder / f"{slug}{suffix}"
    path.write_text(SMALL.format(slug=slug, salt=salt) if text is None else text, encoding="utf-8")
    return path


BROKEN = {
    "a key twice": ("slug: bad\nslug: bad\n", "stands twice"),
    "a nested key twice": ("sources:\n  redshift: {}\n  redshift: {}\n", "'redshift' stands twice"),
    "a list": ("- slug: bad\n", "must be a mapping"),
    "nothing": ("", "must be a mapping"),
    "not YAML": ("slug: [bad\n", "is not valid YAML at line"),
    "two documents": ("slug: bad\n---\nslug: worse\n", "another document"),
    "a Python object": ("slug: !!python/object/apply:os.getcwd []\n", "is not valid YAML at line 1"),
    "a key that is a list": ("? [a]\n: b\n", "single value"),
    "a day that is none": ("slug: bad\nstart_date: 2026-13-45\n", "not in the calendar"),
    "a number that is none": ("slug: !!int abc\n", "quotes"),
    "a thousand brackets": ("[" * 3000, "nested too deeply"),
    "a number of a thousand digits": ("slug: " + "1" * 5000 + "\n", "quotes"),
    "no time": ("slug: !!timestamp x\n", "quotes"),
    "a NUL": ("slug: a\0b\n", "is not valid YAML"),
    "too much": ("slug: bad\n" + "#" * MAX_ORG_FILE_BYTES, "larger than 1 MiB"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_and_hides_no_other_org(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, "acme")
    path = write(tmp_path, "bad", text)
    orgs = load_orgs(tmp_path)
    assert set(orgs.by_slug) == {"acme"}
    assert str(orgs.broken["bad"]).startswith(f"{path}: ")
    assert message in str(orgs.broken["bad"])


def test_bytes_that_are_no_text_and_a_folder_of_that_name_are_broken_files(tmp_path: Path) -> None:
    write(tmp_path, "acme")
    (tmp_path / "latin.yaml").write_bytes("slug: caf\xe9".encode("latin-1"))
    (tmp_path / "folder.yaml").mkdir()
    orgs = load_orgs(tmp_path)
    assert set(orgs.by_slug) == {"acme"}
    assert set(orgs.broken) == {"latin", "folder"}


@pytest.mark.parametrize("name", ["Acme", "acme_eu", "-acme", "a.b", "a" * 64])
def test_a_file_name_that_is_no_slug_is_broken(name: str, tmp_path: Path) -> None:
    write(tmp_path, name, SMALL.format(slug="acme", salt="S"))
    orgs = load_orgs(tmp_path)
    assert not orgs.by_slug
    assert "not a slug; use a-z, 0-9 and hyphens" in str(orgs.broken[name])


def test_a_yml_file_is_told_to_be_renamed(tmp_path: Path) -> None:
    write(tmp_path, "acme", suffix=".yml")
    orgs = load_orgs(tmp_path)
    assert not orgs.by_slug
    assert "rename it to acme.yaml" in str(orgs.broken["acme"])


def test_an_org_with_both_spellings_is_broken_rather_than_half_read(tmp_path: Path) -> None:
    write(tmp_path, "acme")
    write(tmp_path, "acme", suffix=".yml")
    orgs = load_orgs(tmp_path)
    assert (set(orgs.by_slug), set(orgs.broken)) == (set(), {"acme"})


def test_other_files_and_an_absent_folder_hold_no_org(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("orgs")
    assert load_orgs(tmp_path).by_slug == {}
    assert load_orgs(tmp_path / "absent").broken == {}


def test_a_slice_reads_its_orgs_only_and_reports_those_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slug in ("acme", "globex"):
        write(tmp_path, slug)
    write(tmp_path, "bad", "nonsense")
    monkeypatch.setenv("JUSTAI_ORGS_DIR", str(tmp_path))
    monkeypatch.setenv("JUSTAI_ORGS", "acme,initech")
    orgs = Settings.from_environment().orgs()
    assert set(orgs.by_slug) == {"acme"}
    assert set(orgs.broken) == {"initech"}
    assert "no such file" in str(orgs.broken["initech"])


def test_getting_an_org_gives_it_or_its_error_or_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, "acme")
    write(tmp_path, "bad", "nonsense")
    orgs = load_orgs(tmp_path)
    assert orgs.get("acme").slug == "acme"
    with pytest.raises(OrgFileError):
        orgs.get("bad")
    with pytest.raises(JustAIError, match=r"no org 'initech'; known: acme"):
        orgs.get("initech")


def test_secrets_are_resolved_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SALT", raising=False)
    path = write(tmp_path, "acme", salt="NO_SALT")
    assert load_org(path).slug == "acme"
    with pytest.raises(OrgFileError, match=r"pseudonym_salt: env:NO_SALT is empty or not set.*set the environment"):
        load_org(path, check_secrets=True)
    monkeypatch.setenv("NO_SALT", "s")
    assert load_org(path, check_secrets=True).slug == "acme"


def test_every_reference_of_an_org_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from justai_assets_tests.orgs.test_org_model import COMPLETE

    for name in ("ACME_SALT", "ACME_API_KEY", "ACME_CHAMELEON"):
        monkeypatch.delenv(name, raising=False)
    text = COMPLETE.replace("env:ACME_API_KEY", "[env:ACME_API_KEY, env:ACME_OLD_KEY]")
    with pytest.raises(OrgFileError) as caught:
        load_org(write(tmp_path, "acme", text), check_secrets=True)
    assert {problem.key for problem in caught.value.problems} == {
        "pseudonym_salt",
        "sources.journey_webhooks.api_key.0",
        "sources.journey_webhooks.api_key.1",
        "sources.chameleon_webhooks.signing_secret",
        "sources.delta_share.profile",
    }


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device", "endless device", "folder"])
def test_what_is_no_regular_file_is_said_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    file, pipe = tmp_path / "acme.yaml", tmp_path / "pipe"
    os.mkfifo(file if kind == "pipe" else pipe)
    if kind == "link to a pipe":
        file.symlink_to(pipe)
    elif kind.endswith("device"):
        file.symlink_to("/dev/zero" if kind == "endless device" else "/dev/null")
    elif kind == "folder":
        file.mkdir()
    with pytest.raises(OrgFileError, match="is no regular file"):
        load_org(file)


def test_a_secret_in_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SecretError, match="file:pipe is no regular file"):
        resolve("file:pipe", base=tmp_path)


def test_of_thousands_of_mistakes_the_first_twenty_are_said(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text("".join(f"wrong{number}: 1\n" for number in range(3000)), encoding="utf-8")
    with pytest.raises(OrgFileError) as caught:
        load_org(file)
    lines = str(caught.value).splitlines()
    assert len(caught.value.problems) > 3000
    assert len(lines) == 21
    assert lines[-1].endswith("mistakes in all; the first 20 are shown")
