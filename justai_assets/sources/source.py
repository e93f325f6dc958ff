"""What the platform knows of a source, as data. `registry.py` lists the sources; this module only says what one is.

It stands below the org model and the landing zone, which loop over the registry. It therefore imports neither: what a
source needs from the layers above (its parser, its connect text) is a function that imports when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from justai_assets.orgs.secrets import StrictModel

if TYPE_CHECKING:
    import polars as pl

    from justai_assets.connect.customer import Customer
    from justai_assets.orgs.org_model import Org

Content = Literal["engagement", "custom_events", "unified_events", "served_copies"]
"""What the records of a source are. `unified_events` is engagement and custom events, joined by the org itself."""

Body = dict[str, Any]

JSON_LINES: Final = (".jsonl.zst", ".jsonl.gz", ".jsonl")
"""Suffixes of objects that hold one envelope a line."""


@dataclass(frozen=True)
class CredentialRefs:
    """The secret references by which a sender of webhooks is known; each may be empty.

    Attributes:
        api_keys: of the header X-Api-Key.
        authorizations: of the header Authorization.
        signing_secrets: of a signature over the body.
        is_open: whether a request without any credential is accepted.
    """

    api_keys: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    signing_secrets: tuple[str, ...] = ()
    is_open: bool = False


class SourceSettings(StrictModel):
    """What an org file says of one source. Each source has a subclass with its own keys."""

    @property
    def credentials(self) -> CredentialRefs:
        """How its sender is known; empty for a source that nobody calls over HTTP."""
        return CredentialRefs()

    @property
    def settle(self) -> int:
        """Seconds that a day must be unchanged before it is read; 0 where an object is whole once it appears."""
        return 0

    @property
    def event_names(self) -> Mapping[str, str] | None:
        """Key of the section → name of a custom event that can arrive; None where only the sender knows the names."""
        return None

    @property
    def rule(self) -> list[Any]:
        """What decides the rows beside the code, for the stamp of a day; empty when nothing does."""
        return []

    @property
    def accepts_nothing(self) -> bool:
        """Whether no HTTP request at all could pass, for want of a credential."""
        return self.credentials == CredentialRefs()


@dataclass(frozen=True)
class Landing:
    """Where the objects of a source lie: `{prefix}/{org}/event_date=YYYY-MM-DD/*{suffix}` below the landing root.

    Attributes:
        prefix: without slashes at its ends.
        suffixes: of data objects; every other object is a marker or foreign.
        asset: the last part of the landing asset's key in Dagster.
        format: the kind that Dagster shows.
    """

    prefix: str
    suffixes: tuple[str, ...]
    asset: str
    format: Literal["json", "parquet"]


@dataclass(frozen=True)
class EnvelopeReader:
    """How the envelopes of a source become rows.

    Attributes:
        body: the fields of the body that are read.
        typed: envelopes, org and folder's day → rows of the table, each with its `reason` (null: accepted).
        with_line: whether `typed` also needs the whole line.
    """

    body: pl.Struct
    typed: Callable[[pl.LazyFrame, Org, date | None], pl.LazyFrame]
    with_line: bool = False


@dataclass(frozen=True)
class Envelopes:
    """How a source's records are read that land as JSON envelopes.

    Attributes:
        reader: imports the parser.
        event_time: body and receipt → when the event happened, UTC; None when that cannot be read.
        own_id: body → the id that the sender gives an event; None where the id is a hash of the body.
        is_each_receipt_new: whether an equal body is another event: the receipt is then part of the id.
        mark: a field that only bodies of this source have; "" where no field tells.
    """

    reader: Callable[[], EnvelopeReader]
    event_time: Callable[[Body, datetime], datetime | None]
    own_id: Callable[[Body], str | None] = lambda _: None
    is_each_receipt_new: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Http:
    """What the collector takes for a source: `POST {path}/{org}`.

    Attributes:
        path: without the org.
        summary: for the OpenAPI document.
        takes_authorization: whether the header Authorization can carry a credential.
        signature: the header of an HMAC over the body, in lower case; "" where a key in a header says who it is.
        may_be_open: whether an org can accept requests without a credential.
        query: parameters of the URL.
        objects: paths of fields that are an object, null or absent; an outer one before those in it.
        properties: the fields of the body, as JSON Schema.
        fix: what to set in the org file when it names no credential.
    """

    path: str
    summary: str
    takes_authorization: bool = False
    signature: str = ""
    may_be_open: bool = False
    query: tuple[str, ...] = ()
    objects: tuple[tuple[str, ...], ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)
    fix: str = "set api_key"


@dataclass(frozen=True)
class FileReader:
    """How the Parquet files of a source become rows.

    Attributes:
        kinds: content → the contract's columns, name → how each is read ("time" or "text").
        optional: columns that are known and not read.
        typed: rows, org, folder's day and source → rows of the table, each with its `reason` (null: accepted).
    """

    kinds: Mapping[str, Mapping[str, str]]
    optional: tuple[str, ...]
    typed: Callable[[pl.LazyFrame, Org, date | None, str], pl.LazyFrame]


@dataclass(frozen=True)
class Asked:
    """What `justai org new` knows when it writes the section of a source.

    Attributes:
        slug: the org's.
        is_engagement: whether the source is the org's engagement source.
        events: workflowId → event name.
        share_table: share.schema.table.
    """

    slug: str
    is_engagement: bool = False
    events: Mapping[str, str] = field(default_factory=dict)
    share_table: str | None = None


@dataclass(frozen=True)
class ConnectText:
    """The text that tells a customer how to connect a source: a Jinja template that makes Markdown, one `## ` a step.

    Attributes:
        package: the package that holds the template; `__package__` of the spec.
        template: its file name.
        values: imports what the template shows of a customer beside what each one gets (connect/kit.py).
    """

    package: str
    template: str = "connect.md.j2"
    values: Callable[[Customer], Mapping[str, Any]] = lambda _: {}


@dataclass(frozen=True)
class Source:
    """One source: where an org's events come from.

    Attributes:
        name: its key under `sources` of an org file, and its name in every table.
        contents: what it can bring; where it can bring several, the org file's `content` says which.
        settings: its section of an org file; None for a source that has none.
        landing: where its objects lie; None for a source that is asked instead.
        envelopes: of a source that lands JSON envelopes.
        files: imports the reader, of a source that lands Parquet.
        http: what the collector takes for it; None where others write its objects.
        section: what `justai org new` writes for it.
        asks: what `justai org new` has to ask for it.
        connect: what its customer has to do; None where nothing is to be connected.
        clean_export: how its writer replaces a day without leaving old parts; "" where that cannot happen.
        is_expected: whether it is late when nothing lands.
    """

    name: str
    contents: tuple[Content, ...]
    settings: type[SourceSettings] | None = None
    landing: Landing | None = None
    envelopes: Envelopes | None = None
    files: Callable[[], FileReader] | None = None
    http: Http | None = None
    section: Callable[[Asked], dict[str, Any]] = lambda _: {}
    asks: tuple[Literal["events", "share_table"], ...] = ()
    connect: ConnectText | None = None
    clean_export: str = ""
    is_expected: bool = True

    @property
    def is_drop(self) -> bool:
        """Whether it lands Parquet files."""
        return self.files is not None

    @property
    def brings_engagement(self) -> bool:
        """Whether an org can name it under `engagement`."""
        return self.settings is not None and not {"engagement", "unified_events"}.isdisjoint(self.contents)

    @property
    def brings_custom_events(self) -> bool:
        """Whether an org can name it under `custom`."""
        return self.settings is not None and "custom_events" in self.contents

    def content(self, settings: SourceSettings | None) -> Content:
        """What it brings to an org with these settings."""
        chosen: Content = getattr(settings, "content", self.contents[0])
        return chosen
