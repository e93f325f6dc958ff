"""Requests to a Delta Sharing server: bounded in time, tried again when that may help, silent about secrets.

`delta_sharing.rest_client` is not used for them. Tried against the share server (`test_official_connector`):

- `list_files_in_table` and `list_table_changes` return a list that was cut off as if it were whole, and fail with a
  KeyError when the answer marks its end (endStreamAction). They ask for neither pages nor fresh addresses.
- Every call waits for a silent server for ever, and holds an answer of any size in memory.
- An error repeats what the server said, also when that is our token.
- A Retry-After is not heeded: the request is sent again after 0.1 s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import quote

import httpx

from justai_assets.sources.delta_share.profile import ClientCredentialsAuth, Profile, auth_for
from justai_assets.sources.delta_share.protocol import Answer, TableName, read_answer
from justai_assets.sources.delta_share.share_errors import (
    BadAnswerError,
    ProfileError,
    ShareAccessError,
    TableNotOfferedError,
    TransientShareError,
    UnsupportedShareError,
    quoted,
    retry_after,
    throttled,
    told_as_ours,
)
from justai_assets.sources.delta_share.transport import RequestPolicy, T, limited, within

CAPABILITIES = "responseformat=parquet,delta;readerfeatures=timestampntz;includeendstreamaction=true"
"""What we can read. Deletion vectors and column mapping are not in it: a server then refuses, or answers without."""

MAX_FILES_A_PAGE = 10_000
MAX_ERROR_BYTES = 65_536
MAX_JSON_BYTES = 16 << 20
MAX_LINE_BYTES = 16 << 20
MAX_ANSWER_BYTES = 1 << 30
"""Of one request: a server that ignores the size of a page may list a million files at once, and no more."""

MAX_OFFERS_SHOWN = 20
_HINTS_OF_A_FEATURE = ("deletionvector", "deletion vector", "columnmapping", "column mapping", "unsupported_delta")


class ShareClient:
    """One share's server, as one recipient. Safe to use from several threads; close it, or use it in `with`."""

    def __init__(self, profile: Profile, *, policy: RequestPolicy | None = None) -> None:
        self._profile = profile
        self.policy = policy or RequestPolicy()
        self._auth = auth_for(profile)
        self._http = limited(
            httpx.Client(
                base_url=profile.endpoint,
                auth=self._auth,
                timeout=self.policy.timeout,
                headers={"delta-sharing-capabilities": CAPABILITIES, "User-Agent": "justai-assets"},
            )
        )

    def __enter__(self) -> ShareClient:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def endpoint(self) -> str:
        """Where the server is."""
        return self._profile.endpoint

    # -- what is asked -----------------------------------------------------------------------------------------------

    def version(self, table: TableName) -> int:
        """The table's current version: the one request that an unchanged share costs."""
        return self._of_table(table, lambda: self._once("GET", f"{table.path}/version", _version))

    def offers(self) -> list[str]:
        """Every `share.schema.table` the recipient may see, sorted."""
        found: list[str] = []
        try:
            shares = [share["name"] for share in self._items("/shares")]
        except _NotFoundError:
            raise ProfileError(
                "the share profile's endpoint is no Delta Sharing server: it has no list of shares",
                mend="compare the endpoint, path and all, with the credential file as downloaded",
            ) from None
        for share in shares:
            # One share that is not ours, or is gone by now, says nothing about the others.
            with suppress(ShareAccessError, _NotFoundError):
                tables = self._items(f"/shares/{quote(share, safe='')}/all-tables")
                found.extend(f"{table['share']}.{table['schema']}.{table['name']}" for table in tables)
        return sorted(found)

    def query(self, table: TableName, *, hints: str = "", refresh_token: str = "") -> Iterator[Answer]:
        """The files of the table's latest version, page by page; hints only ever leave files out, at best."""
        body: dict[str, Any] = {"maxFiles": MAX_FILES_A_PAGE}
        if hints:
            body["jsonPredicateHints"] = hints
        body["refreshToken" if refresh_token else "includeRefreshToken"] = refresh_token or True
        turns = PageTurns()
        while True:
            ask = partial(self._once, "POST", f"{table.path}/query", self._answer, json=body)
            answer = self._of_table(table, ask)
            yield answer
            if not turns.goes_on(answer.next_page):
                return
            body = {key: value for key, value in body.items() if key in {"maxFiles", "jsonPredicateHints"}}
            body["pageToken"] = answer.next_page

    def changes(self, table: TableName, first: int, last: int) -> Iterator[Answer]:
        """The change feed from one version to another, both inclusive, page by page."""
        asked = {"startingVersion": str(first), "endingVersion": str(last), "maxFiles": str(MAX_FILES_A_PAGE)}
        turns = PageTurns()
        while True:
            ask = partial(self._once, "GET", f"{table.path}/changes", self._answer, params=asked)
            answer = self._of_table(table, ask)
            yield answer
            if not turns.goes_on(answer.next_page):
                return
            # The range stays beside the token: servers take it from either.
            asked["pageToken"] = answer.next_page

    # -- how it is asked ---------------------------------------------------------------------------------------------

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold."""
        token = self._auth.token if isinstance(self._auth, ClientCredentialsAuth) else ""
        return (self._profile.secret.get_secret_value(), token)

    def _of_table(self, table: TableName, once: Callable[[], T]) -> T:
        try:
            return self.policy.retrying(once)
        except _NotFoundError:
            self._not_offered(table)

    def _not_offered(self, table: TableName) -> NoReturn:
        offered = self.offers()
        shown = ", ".join(offered[:MAX_OFFERS_SHOWN]) + (", …" if len(offered) > MAX_OFFERS_SHOWN else "")
        mend = "correct sources.delta_share.table in the org file, or ask the provider to share it again"
        raise TableNotOfferedError(
            f"the share does not offer {table}; it offers {shown or 'nothing'}",
            mend=mend if offered else "ask the provider to add the table to the share and grant it to our recipient",
        ) from None

    def _items(self, path: str) -> Iterator[dict[str, Any]]:
        params: dict[str, str] = {}
        turns = PageTurns()
        while True:
            page = self.policy.retrying(partial(self._once, "GET", path, _json, params=params))
            yield from page.get("items") or []
            token = str(page.get("nextPageToken") or "")
            if not turns.goes_on(token):
                return
            params = {"pageToken": token}

    def _once(self, method: str, path: str, read: Callable[[httpx.Response], T], **how: Any) -> T:
        with (
            within(self.policy.request_seconds, MAX_ANSWER_BYTES),
            told_as_ours("the share server"),
            self._http.stream(method, path, **how) as response,
        ):
            if response.status_code != httpx.codes.OK:
                self._raise_for(response)
            return read(response)

    def _answer(self, response: httpx.Response) -> Answer:
        announced = "includeendstreamaction=true" in response.headers.get("delta-sharing-capabilities", "").lower()
        lines = self._lines(response)
        return read_answer(_version(response), lines, announces_end=announced, secrets=self.secrets)

    def _lines(self, response: httpx.Response) -> Iterator[str]:
        rest = b""
        for chunk in response.iter_bytes():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
            if len(rest) > MAX_LINE_BYTES:
                raise BadAnswerError("a line of the list of files has no end", mend="report it to the provider")
        yield rest.decode(errors="replace")

    def _raise_for(self, response: httpx.Response) -> NoReturn:
        status = response.status_code
        said = quoted(_message(response), self.secrets)
        if status == httpx.codes.UNAUTHORIZED:
            raise ShareAccessError(
                f"the share server does not accept the credential (401: {said})",
                mend="it may have expired or been rotated: ask the provider for a new activation link",
            )
        if status == httpx.codes.FORBIDDEN:
            raise ShareAccessError(
                f"the share server forbids the request (403: {said})",
                mend="ask the provider to GRANT SELECT ON SHARE to our recipient",
            )
        if status in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
            raise _NotFoundError(f"the share server knows no such share or table ({status}: {said})")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise throttled("the share server", response)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise TransientShareError(
                f"the share server answered {status}: {said}", mend="it is retried", retry_after=retry_after(response)
            )
        if any(hint in said.lower() for hint in _HINTS_OF_A_FEATURE):
            raise UnsupportedShareError(
                f"the share server says that the table needs a newer reader: {said}",
                mend="ask the provider to share a view of it, or to rewrite the table without that feature",
            )
        raise BadAnswerError(f"the share server answered {status}: {said}", mend="report it to the provider")


class _NotFoundError(TableNotOfferedError):
    """404 or 410, before anyone asked what the share offers."""


def _version(response: httpx.Response) -> int:
    value = response.headers.get("delta-table-version", "")
    if not value.isdigit():
        raise BadAnswerError("the answer carries no Delta-Table-Version", mend="report it to the provider")
    return int(value)


def _json(response: httpx.Response) -> dict[str, Any]:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise BadAnswerError("the answer is no list of names: it does not end", mend="check the profile's endpoint")
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadAnswerError("the share server did not answer with a JSON object", mend="check the profile's endpoint")
    return value


def _message(response: httpx.Response) -> str:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    try:
        value = httpx.Response(200, content=body).json()
    except ValueError:
        return "no message"
    return str(value.get("message") or value.get("errorCode") or "no message") if isinstance(value, dict) else ""


MAX_PAGES = 10_000
"""Of one list."""


class PageTurns:
    """The pages of one list, which must come to an end."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def goes_on(self, token: str) -> bool:
        """Whether there is a next page.

        Raises:
            BadAnswerError: its token was given before, or there are more pages than any list of ours can have.
        """
        if not token:
            return False
        if token in self._seen or len(self._seen) >= MAX_PAGES:
            raise BadAnswerError("the server's list of pages does not end", mend="report it to the provider")
        self._seen.add(token)
        return True
