from __future__ import annotations

from pathlib import Path

import pytest

from justai_assets.orgs.secrets import MAX_SECRET_BYTES, SecretError, resolve


def test_a_secret_comes_from_the_environment_or_a_file_without_surrounding_white_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", " hunter2\n")
    (tmp_path / "key").write_text("hunter3\n")
    assert resolve("env:A_SECRET").get_secret_value() == "hunter2"
    assert resolve(f"file:{tmp_path / 'key'}").get_secret_value() == "hunter3"
    assert resolve("file:key", base=tmp_path).get_secret_value() == "hunter3"


def test_a_secret_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    assert "hunter2" not in f"{resolve('env:A_SECRET')} {resolve('env:A_SECRET')!r}"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\xff", b"x" * (MAX_SECRET_BYTES + 1)])
def test_a_file_that_gives_no_secret_is_named_and_not_quoted(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretError) as caught:
        resolve(f"file:{path}")
    assert f"file:{path}" in str(caught.value)
    assert "write the secret to" in str(caught.value)


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"is no regular file"):
        resolve(f"file:{tmp_path}")


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_unset_or_blank_variable_is_named_with_its_mend(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("A_SECRET", value)
    with pytest.raises(
        SecretError, match=r"env:A_SECRET is empty or not set \(set the environment variable A_SECRET\)"
    ):
        resolve("env:A_SECRET")


def test_what_is_no_reference_is_not_repeated() -> None:
    with pytest.raises(SecretError) as caught:
        resolve("hunter2")
    assert "hunter2" not in str(caught.value)
