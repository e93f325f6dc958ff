import base64
import hmac

import pytest

from justai_assets.serving.credentials import NOBODY, Credentials, Verdict
from justai_assets_tests.serving.service import sign

KNOWN, REFUSED, ANONYMOUS = Verdict.KNOWN, Verdict.REFUSED, Verdict.ANONYMOUS


def test_any_of_several_keys_passes_while_one_is_being_rotated() -> None:
    credentials = Credentials(api_keys=["old", "new"])
    assert credentials.of_headers(b"old", None) is KNOWN
    assert credentials.of_headers(b" new ", None) is KNOWN
    assert credentials.of_headers(b"newer", None) is REFUSED
    assert credentials.of_headers(b"", None) is REFUSED
    assert credentials.of_headers(None, None) is REFUSED


BASIC = base64.b64encode(b"user:password").decode()


@pytest.mark.parametrize(
    ("configured", "sent"),
    [
        ("user:password", f"Basic {BASIC}"),
        ("user:password", BASIC),
        ("user:password", f"basic   {BASIC}"),
        ("user:password", "user:password"),
        (BASIC, f"Basic {BASIC}"),
        (f"Basic {BASIC}", BASIC),
        ("a-token", "Bearer a-token"),
        ("a-token", "OAuth2 a-token"),
        ("a-token", "oauth a-token"),
        ("a-token", "a-token"),
        ("Bearer a-token", "bearer a-token"),
        ("a token with spaces", "a token with spaces"),
    ],
)
def test_authorization_is_known_in_the_forms_that_iterable_sends(configured: str, sent: str) -> None:
    assert Credentials(authorizations=[configured]).of_headers(None, sent.encode()) is KNOWN


@pytest.mark.parametrize("sent", ["Bearer", "Bearer ", "Basic user:password2", "a-toke", "A-TOKEN", "\xff", ""])
def test_any_other_authorization_is_refused(sent: str) -> None:
    credentials = Credentials(authorizations=["a-token", "user:password"])
    assert credentials.of_headers(None, sent.encode("latin-1")) is REFUSED


def test_a_key_is_no_authorization_and_the_other_way_round() -> None:
    credentials = Credentials(api_keys=["key"], authorizations=["token"])
    assert credentials.of_headers(b"token", None) is REFUSED
    assert credentials.of_headers(None, b"key") is REFUSED
    assert credentials.of_headers(b"wrong", b"token") is KNOWN


def test_a_door_without_credentials_accepts_nothing() -> None:
    for presented in ((None, None), (b"", b""), (b"x", None), (None, b"Bearer x")):
        assert Credentials().of_headers(*presented) is REFUSED


def test_an_open_door_marks_whom_it_does_not_know_and_refuses_a_wrong_credential() -> None:
    credentials = Credentials(api_keys=["key"], anonymous=True)
    assert credentials.of_headers(None, None) is ANONYMOUS
    assert credentials.of_headers(b"key", None) is KNOWN
    assert credentials.of_headers(b"wrong", None) is REFUSED
    assert credentials.of_headers(None, b"Basic whatever") is ANONYMOUS, "the org has no authorization to be wrong"


def test_a_signature_is_checked_over_the_raw_bytes_with_every_secret() -> None:
    credentials = Credentials(signing_secrets=["new", "old"])
    body = b'{"id": "1"}'
    assert credentials.of_signature(body, sign(body, "new").encode()) is KNOWN
    assert credentials.of_signature(body, sign(body, "old").upper().encode()) is KNOWN
    assert credentials.of_signature(b'{"id":"1"}', sign(body, "new").encode()) is REFUSED
    assert credentials.of_signature(body, sign(body, "other").encode()) is REFUSED
    assert credentials.of_signature(body, f"sha256={sign(body, 'new')}".encode()) is REFUSED
    assert credentials.of_signature(body, None) is REFUSED
    assert credentials.of_signature(body, "é".encode()) is REFUSED
    assert credentials.of_signature(b"", sign(b"", "new").encode()) is KNOWN


def test_nobody_passes_for_an_org_that_does_not_exist() -> None:
    assert NOBODY.of_headers(b"key", b"token") is REFUSED
    assert NOBODY.of_headers(None, None) is REFUSED


def test_secrets_cannot_be_read_back() -> None:
    credentials = Credentials(api_keys=["very-secret"], authorizations=["very-secret"], signing_secrets=["very-secret"])
    assert "very-secret" not in repr(vars(credentials))


def test_every_signature_costs_as_many_hashes_whatever_the_org_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of an answer must not tell who is rotating a secret, nor who does not exist."""
    compared: list[int] = []
    compare = hmac.compare_digest
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: compared.append(1) or compare(a, b))
    counts = []
    for found in (NOBODY, Credentials(signing_secrets=["a"]), Credentials(signing_secrets=["a", "b"])):
        compared.clear()
        found.of_signature(b"body", b"0" * 64)
        counts.append(len(compared))
    assert len(set(counts)) == 1
