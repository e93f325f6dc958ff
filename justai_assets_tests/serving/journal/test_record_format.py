from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from justai_assets.serving.journal.record_format import MAGIC, Damage, Record, pack, place_of, scan, tag_of

LINES = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=50)), max_size=8)


def read(content: bytes) -> list[tuple[bytes, bytes]]:
    return [(one.tag, content[one.start : one.end]) for one in scan(content) if isinstance(one, Record)]


@given(LINES)
def test_what_was_packed_is_found_in_order(records: list[tuple[bytes, bytes]]) -> None:
    content = b"".join(pack(tag, line, number) for number, (tag, line) in enumerate(records))
    assert read(content) == records
    assert not [one for one in scan(content) if isinstance(one, Damage)]


@given(LINES.filter(bool), st.data())
def test_a_torn_tail_costs_the_torn_record_and_no_other(
    records: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    packed = [pack(tag, line, number) for number, (tag, line) in enumerate(records)]
    content = b"".join(packed)
    cut = data.draw(st.integers(len(content) - len(packed[-1]) + 1, len(content) - 1))
    assert read(content[:cut]) == records[:-1]
    damage = list(scan(content[:cut]))[-1]
    assert damage == Damage(len(content) - len(packed[-1]), cut, tail=True)


@given(LINES.filter(lambda found: len(found) > 1), st.data())
def test_a_changed_byte_costs_one_record_and_the_rest_is_found(
    records: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    packed = [pack(tag, line, number) for number, (tag, line) in enumerate(records)]
    hit = data.draw(st.integers(0, len(packed) - 1))
    at = data.draw(st.integers(0, len(packed[hit]) - 1))
    changed = bytearray(packed[hit])
    changed[at] ^= data.draw(st.integers(1, 255))
    content = b"".join([*packed[:hit], bytes(changed), *packed[hit + 1 :]])
    assert read(content) == records[:hit] + records[hit + 1 :]
    (damage,) = [one for one in scan(content) if isinstance(one, Damage)]
    assert damage.tail == (hit == len(packed) - 1)
    assert damage.end - damage.start == len(packed[hit])


@given(st.binary(max_size=200))
def test_any_bytes_can_be_scanned_to_the_end(content: bytes) -> None:
    found = list(scan(MAGIC + content))
    assert found
    assert found[-1].end == len(MAGIC + content)


def test_nothing_holds_nothing() -> None:
    assert list(scan(b"")) == []
    assert list(scan(bytes(64))) == [Damage(0, 64, tail=True)], "a block of zeros, as a power cut leaves it"


def test_a_tag_names_door_org_and_day() -> None:
    for place in (("iterable_webhooks", "acme", date(2026, 1, 5)), ("journey_webhooks", "a-b", None)):
        assert place_of(tag_of(*place)) == place
