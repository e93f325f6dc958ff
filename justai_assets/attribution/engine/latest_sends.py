"""The heart: for each event of a bucket, the latest send of the same person at or before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from justai_assets.attribution.engine.person_keys import KeyCollisionError
from justai_assets.attribution.engine.record_buckets import Records
from justai_assets.attribution.rule import Rule

SEND: Final = np.dtype([("key", "<u8"), ("ts", "<i8"), ("at", "<i8"), ("check", "<u4")])
"""A send: 64 bits of its person, microseconds, its row in the input, 32 further bits of its person."""
EVENT: Final = np.dtype([("key", "<u8"), ("ts", "<i8"), ("tag", "<i8"), ("check", "<u4")])
"""A custom event: the same, and a number that its reader knows it by."""

_Words = npt.NDArray[np.uint64]
_Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Latest:
    """The events of a bucket that have a prior send, each once, with it.

    Attributes:
        event: positions in the bucket's events.
        send: positions in the bucket's sends; of several at the same microsecond, any.
        tie: 0 where the send is the only one of its person at that microsecond, else the number of the tie, from 1.
        tied: positions of all the sends of the ties, tie by tie.
        tied_in: the number of the tie of each.
    """

    event: _Indices
    send: _Indices
    tie: _Indices
    tied: _Indices
    tied_in: _Indices


def latest(sends: Records, events: Records, rule: Rule, *, known_bits: int = 0) -> Latest:
    """The latest send of the same key at or before the event, for every event that has one.

    At the event's own microsecond it counts where the rule's window has its end.

    As many bits of the key as fit before the time make one 64-bit word, sends and events are sorted together by it in
    one go, and the send before an event is a running maximum: no search, no hash table, and a person with a fifth of
    all events costs no more than others. Where two persons agree in those bits, their records are sorted again with
    numbers that tell them apart.

    Args:
        sends: records of type SEND.
        events: records of type EVENT.
        rule: its bounds are read.
        known_bits: leading bits of the key that are the same for the whole bucket.

    Raises:
        KeyCollisionError: a key stands for two persons.
    """
    count = len(sends)
    event_bit = np.uint64(rule.bounds.has_end)
    if not count or not len(events):
        return _chosen(np.empty(0, np.uint64), np.empty(0, np.int64), 0, count, event_bit)
    keys = np.concatenate([sends["key"], events["key"]])
    times, bits = _times(np.concatenate([sends["ts"], events["ts"]]))
    shift = np.uint64(bits + 1)  # the lowest bit: 0 a send, 1 an event, so that a send at the event's time precedes it
    lowest = times << np.uint64(1)
    lowest[count:] |= event_bit
    lowest[:count] |= event_bit ^ np.uint64(1)
    words = ((keys << np.uint64(known_bits)) >> shift << shift) | lowest
    order = np.argsort(words)
    words = words[order]
    persons, sorted_keys = words >> shift, keys[order]
    mixed = np.flatnonzero((persons[1:] == persons[:-1]) & (sorted_keys[1:] != sorted_keys[:-1]))
    found = _chosen(words, order, bits, count, event_bit)
    if len(mixed):
        again = order[np.isin(persons, persons[mixed])]
        ranks = np.unique(keys[again], return_inverse=True)[1].astype(np.uint64)
        if len(again).bit_length() + bits > 62:
            lowest[again] = _ranks(lowest[again])
            bits = len(again).bit_length()
        words = (ranks << np.uint64(bits + 1)) | lowest[again]
        inner = np.argsort(words)
        found = _merged(
            found, _chosen(words[inner], again[inner], bits, count, event_bit), again[again >= count] - count
        )
    if np.any(sends["check"][found.send] != events["check"][found.event]):
        raise KeyCollisionError
    return found


def _chosen(words: _Words, order: _Indices, bits: int, sends: int, event_bit: np.uint64) -> Latest:
    """The send before each event, in records sorted by person, time, and kind; `order` is where they were."""
    is_event = (words & np.uint64(1)) == event_bit
    position = np.arange(len(words))
    position[is_event] = -1
    np.maximum.accumulate(position, out=position)
    event = np.flatnonzero(is_event)
    send = position[event]
    shift = np.uint64(bits + 1)
    same = (send >= 0) & (words[send] >> shift == words[event] >> shift)
    event, send = event[same], send[same]
    tie = np.zeros(len(event), np.int64)
    ties = (send > 0) & (words[send - 1] == words[send])
    none = np.empty(0, np.int64)
    tied, tied_in = none, none
    if ties.any():
        # A tie is resolved once, however many events it has: its sends are listed once, the events point to it.
        lasts, numbers = np.unique(send[ties], return_inverse=True)
        tie[ties] = numbers + 1
        firsts = np.searchsorted(words, words[lasts], side="left")
        lengths = lasts - firsts + 1
        tied_in = np.repeat(np.arange(1, len(lasts) + 1), lengths)
        offsets = np.arange(len(tied_in)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        tied = order[firsts[tied_in - 1] + offsets]
    return Latest(order[event] - sends, order[send], tie, tied, tied_in)


def _merged(found: Latest, again: Latest, redone: _Indices) -> Latest:
    """`found` with the events of `redone` taken from `again` instead; ties that lose all events stay unused."""
    kept = ~np.isin(found.event, redone)
    ties = int(found.tied_in[-1]) if len(found.tied_in) else 0
    return Latest(
        np.concatenate([found.event[kept], again.event]),
        np.concatenate([found.send[kept], again.send]),
        np.concatenate([found.tie[kept], again.tie + np.where(again.tie > 0, ties, 0)]),
        np.concatenate([found.tied, again.tied]),
        np.concatenate([found.tied_in, again.tied_in + ties]),
    )


def _times(times: npt.NDArray[np.int64]) -> tuple[_Words, int]:
    """Times as unsigned numbers in the same order, and their bits."""
    lowest = int(times.min())
    bits = (int(times.max()) - lowest).bit_length()
    if bits > 56:  # thousands of years: such a time is an error of the sender, but it must not break the others
        return _ranks(times), len(times).bit_length()
    return (times - lowest).astype(np.uint64), bits


def _ranks(values: npt.NDArray[np.int64] | _Words) -> _Words:
    return np.unique(values, return_inverse=True)[1].astype(np.uint64)
