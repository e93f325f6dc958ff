"""Which person a message went to: keys linked as in the attribution."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from justai_assets.attribution.engine.linked_keys import Identity, without
from justai_assets.attribution.engine.person_keys import check, key, seeds

_KEYS = ("email_key", "user_key")
_NODE = ("key", "check")
_PERSON = ("person", "person_check")


@dataclass(frozen=True)
class MessagePeople:
    """The person of each message of a send day.

    Keys are linked by the engagement events of D-3 … D+3 that carry both, the union of what links them in the
    attribution of the events that may follow a message of D. The person of linked keys is the least email key among
    them, a key that nothing links is its own person, and a key that more than MOST_LINKED others share is nobody.

    Two keys that are linked on other days only are two persons on this day; and where D-3 … D+3 link other emails of
    the same person than the days around another send day, the same person has another name there.

    Attributes:
        identity: how keys are hashed, and which are nobody's.
        names: `key`, `check` → `person`, the least email key, of the linked keys that sends of the day carry.
    """

    identity: Identity
    names: pl.DataFrame

    @classmethod
    def of(cls, engagement: pl.LazyFrame, sends: pl.LazyFrame) -> MessagePeople:
        """From the engagement events of D-3 … D+3 and the sends of D: `email_key` and `user_key` of each.

        Memory grows with the distinct pairs of keys, about 100 bytes each.
        """
        links = engagement.select(_KEYS).filter(pl.all_horizontal(pl.col(name).is_not_null() for name in _KEYS))
        identity = Identity.of(links, seeds()[0])
        linked = identity.people.lazy()
        # Nearly every email has one user id and the reverse. Such an email stands for itself and is not in `linked`.
        some_key = pl.any_horizontal(pl.col(name).is_not_null() for name in _KEYS)
        keyed = without(sends.select(_KEYS), identity.shared).filter(some_key).select(identity.node())
        wanted = keyed.unique().join(linked, on=_NODE).collect(engine="streaming")
        persons = wanted.lazy().select(_PERSON).unique()
        # A person is one of its keys; where two keys are all there are of it, it is the email.
        itself = persons.select(*_PERSON, key="person", check="person_check")
        keys = pl.concat([itself, linked.select(*_PERSON, *_NODE)]).join(persons, on=_PERSON, how="semi").unique()
        names = _least_emails(engagement, keys.collect(engine="streaming"), identity)
        named = wanted.join(names, on=_PERSON).select(*_NODE, person="name")
        return cls(Identity(identity.people.clear(), identity.seed, identity.shared), named)

    def named(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows with `person` in place of `email_key` and `user_key`; null without a key that is somebody's."""
        own = pl.coalesce(_KEYS).alias("own")
        keyed = without(rows, self.identity.shared).with_columns(*self.identity.node(), own)
        # Without the order, the join may keep all rows in memory instead of the names.
        found = keyed.join(self.names.lazy(), on=_NODE, how="left", maintain_order="left")
        return found.with_columns(pl.coalesce("person", "own").alias("person")).drop(*_NODE, *_KEYS, "own")


def _least_emails(engagement: pl.LazyFrame, keys: pl.DataFrame, identity: Identity) -> pl.DataFrame:
    """`person`, `person_check` → `name`, the least of the email keys among some keys of persons."""
    if keys.is_empty():
        return pl.DataFrame(schema={**{name: keys.schema[name] for name in _PERSON}, "name": pl.String})
    found = (
        engagement.select("email_key", key("email_key", identity.seed).alias("key"))
        .join(keys.lazy(), on="key")
        .filter(pl.col("check") == check("email_key", identity.seed))
    )
    return found.group_by(_PERSON).agg(pl.col("email_key").min().alias("name")).collect(engine="streaming")
