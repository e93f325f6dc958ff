from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from justai_assets.sources.delta_share.profile import Profile
from justai_assets.sources.delta_share.share_errors import ProfileError

V1 = {"shareCredentialsVersion": 1, "endpoint": "https://share.example/delta-sharing/", "bearerToken": "hush-hush"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def parse(**changes: object) -> Profile:
    return Profile.parse(json.dumps({key: value for key, value in (V1 | changes).items() if value is not None}))


def test_a_version_1_file_is_a_bearer_token() -> None:
    profile = parse(expirationTime="2026-02-01T00:00:00.0Z")
    assert (profile.kind, profile.endpoint) == ("bearer_token", "https://share.example/delta-sharing")
    assert profile.secret.get_secret_value() == "hush-hush"
    assert profile.expires_at == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "fields", "secret", "user"),
    [
        ("bearer_token", {"bearerToken": "s1"}, "s1", ""),
        ("basic", {"username": "u", "password": "s2"}, "s2", "u"),
        (
            "oauth_client_credentials",
            {"tokenEndpoint": "https://login.example/token", "clientId": "c", "clientSecret": "s3"},
            "s3",
            "c",
        ),
    ],
)
def test_version_2_knows_three_kinds(kind: str, fields: dict[str, str], secret: str, user: str) -> None:
    profile = parse(**{"shareCredentialsVersion": 2, "type": kind, "bearerToken": None, **fields})
    assert (profile.kind, profile.secret.get_secret_value(), profile.user) == (kind, secret, user)


def test_the_end_of_a_client_secret_is_read_too() -> None:
    fields = {"tokenEndpoint": "https://login.example/token", "clientId": "c", "clientSecret": "s"}
    profile = parse(
        shareCredentialsVersion=2, type="oauth_client_credentials", expirationTime="2026-02-01T00:00:00Z", **fields
    )
    assert profile.expires_at == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_secret_wrapped_by_the_org_is_taken_as_it_is() -> None:
    assert Profile.parse(SecretStr(json.dumps(V1))).kind == "bearer_token"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shareCredentialsVersion": 3}, "shareCredentialsVersion is not 1 or 2"),
        ({"bearerToken": None}, "lacks bearerToken"),
        ({"bearerToken": "  "}, "lacks bearerToken"),
        ({"endpoint": None}, "lacks endpoint"),
        ({"endpoint": "ftp://share.example"}, "endpoint is not a plain http(s) address"),
        ({"endpoint": "https://user:hush-hush@share.example"}, "endpoint is not a plain http(s) address"),
        ({"shareCredentialsVersion": 2, "type": "oauth_jwt_bearer_private_key_jwt"}, "type is none of bearer_token"),
        ({"expirationTime": "tomorrow"}, "expirationTime is not an ISO 8601 time"),
        ({"shareCredentialsVersion": "hush"}, "shareCredentialsVersion is not 1 or 2"),
        ({"shareCredentialsVersion": []}, "shareCredentialsVersion is not 1 or 2"),
        ({"shareCredentialsVersion": None}, "shareCredentialsVersion is not 1 or 2"),
        ({"endpoint": 5}, "an address in the share profile is not a text"),
        ({"bearerToken": 5}, "lacks bearerToken"),
        ({"shareCredentialsVersion": 2, "type": ["hush"]}, "type is none of bearer_token"),
        ({"shareCredentialsVersion": 2, "type": "basic", "username": "", "password": "hush"}, "lacks username"),
        ({"shareCredentialsVersion": 2, "type": "basic", "username": "u"}, "lacks password"),
        (
            {
                "shareCredentialsVersion": 2,
                "type": "oauth_client_credentials",
                "tokenEndpoint": "",
                "clientId": "c",
                "clientSecret": "hush",
            },
            "lacks tokenEndpoint",
        ),
    ],
)
def test_a_bad_file_is_refused_by_what_is_wrong_with_it(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse(**changes)
    assert said in str(caught.value)
    assert caught.value.mend
    assert "hush" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"


@pytest.mark.parametrize("text", ["", "hush-hush", "[1]", '{"bearerToken": "hush-hush",'])
def test_text_that_is_no_profile_is_never_repeated(text: str) -> None:
    with pytest.raises(ProfileError) as caught:
        Profile.parse(text)
    assert "hush" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"


def test_no_representation_shows_the_secret() -> None:
    profile = parse()
    assert "hush" not in f"{profile!r}{profile}"


@pytest.mark.parametrize(
    ("expiry", "days", "warned"),
    [
        (None, None, False),
        ("2026-01-16T00:00:00Z", 15.0, False),
        ("2026-01-15T00:00:00Z", 14.0, True),
        ("2025-12-31T00:00:00Z", -1.0, True),
        ("2026-01-15T00:00:00", 14.0, True),
    ],
)
def test_expiry_is_warned_of_fourteen_days_ahead(expiry: str | None, days: float | None, warned: bool) -> None:
    profile = parse(expirationTime=expiry)
    assert profile.days_left(NOW) == days
    assert bool(profile.expiry_warning(NOW)) is warned
    if days is not None and days < 0:
        assert "has expired" in profile.expiry_warning(NOW)


def test_a_profile_is_parsed_by_the_package_and_does_not_bring_pandas() -> None:
    code = (
        "import sys; from justai_assets.sources.delta_share import profile; "
        "profile.Profile.parse(sys.argv[1]); "
        "print(profile._package().__file__.endswith('delta_sharing/protocol.py'), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(V1)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
