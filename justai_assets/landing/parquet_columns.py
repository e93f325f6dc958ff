"""Foreign Parquet columns as the contract's: times in UTC microseconds, days, and text. Value by value, never raising.

A value that the contract's type cannot hold becomes null: a time or day outside the years 1 to 9999 (infinity, a
sentinel, an overflow), and bytes that are not UTF-8. Text that is no number becomes NaN where a number is wanted. Runs
in the decoder's process, on pyarrow alone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from zoneinfo import available_timezones

import pyarrow as pa
import pyarrow.compute as pc

MOMENT: Final = pa.timestamp("us", "UTC")
TARGETS: Final = {"time": MOMENT, "date": pa.date32(), "text": pa.string(), "number": pa.float64()}
"""What a column is read as → its Arrow type."""

_YEAR_1: Final = -62_135_596_800
_YEAR_10000: Final = 253_402_300_800
"""First seconds of the years 1 and 10000, counted from 1970."""

_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY: Final = 86_400
_MAX_INT64: Final = float(2**63)
_NUMBER: Final = r"^[+-]?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})([eE][+-]?[0-9]{1,3})?$"


def can_read(field: pa.Field, kind: str) -> bool:
    """Whether a column of a type can be read as `time`, `date`, `text` or `number`; text may hold numbers."""
    found = value_type(field.type)
    if kind == "time":
        return bool(pa.types.is_timestamp(found))
    if kind == "date":
        return bool(pa.types.is_date32(found))
    return any(
        is_kind(found)
        for is_kind in (
            pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary,
            pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary, pa.types.is_integer,
            pa.types.is_floating, pa.types.is_decimal, pa.types.is_null,
        )
    )  # fmt: skip


def is_plain(schema: pa.Schema, read: Collection[str]) -> bool:
    """Whether polars may be given the file itself: no column has a type over which it panics, read or not.

    Args:
        schema: of the file.
        read: the columns that are read: bytes among them have to be judged value by value first.
    """
    repeated = len(set(schema.names)) < len(schema.names)
    return not repeated and all(
        _is_plain(field.type) and not (field.name in read and _is_bytes(field.type)) for field in schema
    )


def _is_bytes(found: pa.DataType) -> bool:
    return bool(pa.types.is_binary(found) or pa.types.is_large_binary(found))


def _is_plain(found: pa.DataType) -> bool:
    if pa.types.is_timestamp(found):
        # Polars panics over a zone that is not in the time zone database: Arrow writes +05:30 and Z.
        return found.tz is None or found.tz in available_timezones()
    if pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_struct(found):
        return all(_is_plain(found.field(number).type) for number in range(found.num_fields))
    return any(
        is_kind(found)
        for is_kind in (
            pa.types.is_boolean, pa.types.is_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_string,
            pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary,
            pa.types.is_date32, pa.types.is_decimal128,
        )
    )  # fmt: skip


def value_type(found: pa.DataType) -> pa.DataType:
    """The type of the values, without dictionary and extension around it."""
    while isinstance(found, pa.BaseExtensionType) or pa.types.is_dictionary(found):
        found = found.storage_type if isinstance(found, pa.BaseExtensionType) else found.value_type
    return found


def plain(column: pa.Array) -> pa.Array:
    """The values, without dictionary and extension around them."""
    while isinstance(column, pa.ExtensionArray | pa.DictionaryArray):
        column = column.storage if isinstance(column, pa.ExtensionArray) else column.dictionary_decode()
    return column


def moments(column: pa.Array, milliseconds: pa.Array | None = None) -> pa.Array:
    """Times as UTC microseconds; a time without a zone is UTC by contract.

    Args:
        column: timestamps of any unit and zone.
        milliseconds: the same times in milliseconds, of an INT96 column. Its microseconds wrap around into plausible
            days, where milliseconds cannot.
    """
    judged = plain(column if milliseconds is None else milliseconds)
    per = _PER_SECOND[judged.type.unit]
    # As numbers: a zone that nobody knows does not matter to a moment.
    counts, unit = plain(column).view(pa.int64()), plain(column).type.unit
    if judged.type.unit != "ns":  # all of int64's nanoseconds lie between 1677 and 2262
        found = judged.view(pa.int64())
        inside = pc.and_(pc.greater_equal(found, _YEAR_1 * per), pc.less(found, _YEAR_10000 * per))
        if not pc.all(inside, skip_nulls=True).as_py():
            counts = pc.if_else(inside, counts, pa.scalar(None, pa.int64()))
    return counts.view(pa.timestamp(unit)).cast(pa.timestamp("us"), safe=False).cast(MOMENT)


def days(column: pa.Array) -> pa.Array:
    """Days of the years 1 to 9999; others are null."""
    counts = plain(column).view(pa.int32())
    inside = pc.and_(pc.greater_equal(counts, _YEAR_1 // _DAY), pc.less(counts, _YEAR_10000 // _DAY))
    return pc.if_else(inside, plain(column), pa.scalar(None, pa.date32()))


def texts(column: pa.Array, *, is_uuid: bool = False) -> tuple[pa.Array, pa.Array | None]:
    """Values as text, and where they were bytes that are no text (None: nowhere).

    Warehouses write an id column with nulls as NUMERIC or DOUBLE: whole numbers become their digits, NaN and infinity
    are null.
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string()), None
    if pa.types.is_integer(kind):
        return column.cast(pa.string()), None
    if pa.types.is_decimal(kind):
        return pc.replace_substring_regex(column.cast(pa.string()), r"\.0*$", ""), None
    if pa.types.is_floating(kind):
        return _digits(column), None
    if is_uuid:
        written = [None if value is None else _uuid(value) for value in column.to_pylist()]
        return pa.array(written, pa.string()), None
    return _utf8(column)


def numbers(column: pa.Array) -> pa.Array:
    """Values as floats, NaN and infinity among them. Text is read as a plain decimal number; any other text is NaN.

    Blank text is null, as a blank id is.
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    if pa.types.is_null(kind) or pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False)
    text, undecodable = texts(column)
    text = pc.utf8_trim_whitespace(text)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    is_number = pc.match_substring_regex(text, _NUMBER)
    found = pc.if_else(is_number, text, pa.scalar("nan")).cast(pa.float64())
    return found if undecodable is None else pc.if_else(undecodable, pa.scalar(float("nan")), found)


def _digits(column: pa.Array) -> pa.Array:
    column = column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
    column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    wide = column.cast(pa.float64())
    whole = pc.and_(pc.equal(wide, pc.floor(wide)), pc.less(pc.abs(wide), _MAX_INT64))
    numbers = pc.if_else(whole, wide, pa.scalar(None, pa.float64())).cast(pa.int64())
    return pc.if_else(whole, numbers.cast(pa.string()), column.cast(pa.string()))


def _uuid(value: bytes) -> str:
    digits = value.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _utf8(column: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    try:
        if pa.types.is_string(column.type):
            column.validate(full=True)
            return column, None
        # The cast looks at every value.
        as_binary = pa.types.is_string_view(column.type) or pa.types.is_large_string(column.type)
        return (column.cast(pa.large_binary()) if as_binary else column).cast(pa.string()), None
    except pa.ArrowInvalid:
        values = [_text(value) for value in column.cast(pa.large_binary()).to_pylist()]
    bad = pa.array([value is False for value in values])
    return pa.array([None if value is False else value for value in values], pa.string()), bad


def _text(value: bytes | None) -> str | bool | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return False
