import time
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from justai_assets.serving.request_head import is_json, query_parameters


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)), max_size=5))
def test_every_parameter_is_kept_whatever_its_name_and_however_often(pairs: list[tuple[str, str]]) -> None:
    encodable = [(k, v) for k, v in pairs if k.isprintable() and v.isprintable() and "[" not in k]
    found = query_parameters(urlencode(encodable).encode())
    assert sorted(found.values()) == sorted(value for _, value in encodable)
    assert {name.partition("[")[0] for name in found} == {name for name, _ in encodable}


@given(st.binary(max_size=40))
def test_any_query_string_is_read_as_the_standard_library_reads_it(text: bytes) -> None:
    found = query_parameters(text)
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, errors="replace")
    assert len(found) == len(pairs)
    assert list(found.values()) == [value for _, value in pairs]


@pytest.mark.parametrize("names", [["a"] * 2048, [f"a[{number}]" for number in range(600)] + ["a"] * 600])
def test_one_name_given_thousands_of_times_is_read_in_a_moment(names: list[str]) -> None:
    text = "&".join(names).encode()
    begun = time.thread_time()
    found = query_parameters(text)
    assert time.thread_time() - begun < 0.05
    assert len(found) == len(names)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, True),
        (b"application/json", True),
        (b"APPLICATION/JSON;charset=utf-8", True),
        (b'application/json; charset="UTF-8"', True),
        (b"application/json; charset=us-ascii", True),
        (b"application/cloudevents+json", True),
        (b"application/json; profile=x", True),
        (b"application/json; charset=latin1", False),
        (b"application/jsonp", False),
        (b"text/json", False),
        (b"text/plain", False),
        (b"multipart/form-data; boundary=application/json", False),
        (b"", False),
        (b"\xff", False),
    ],
)
def test_json_is_known_by_its_content_type(content_type: bytes | None, expected: bool) -> None:
    assert is_json(content_type) is expected
