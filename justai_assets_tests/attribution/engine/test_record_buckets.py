from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from justai_assets.attribution.engine.record_buckets import Buckets, scratch

PAIR = np.dtype([("a", "<i8"), ("b", "<u4")])


@pytest.mark.parametrize("resident", [1, 100, 1 << 20])
def test_a_bucket_gives_back_its_records_from_memory_and_disk(tmp_path: Path, resident: int) -> None:
    store = Buckets(PAIR, tmp_path / "store", resident=resident)
    for part in np.array_split(np.arange(300), 7):
        store.append((part % 3).astype(np.uint16), {"a": part, "b": part * 2})
    assert (store.spilled > 0) == (resident < 3000)
    assert store.rows == 300
    for bucket in range(3):
        records = store.read(bucket)
        assert records["a"].tolist() == [n for n in range(300) if n % 3 == bucket]
        assert np.array_equal(records["b"], records["a"] * 2)
    assert len(store.read(3)) == 0


def test_what_was_read_is_given_up(tmp_path: Path) -> None:
    store = Buckets(PAIR, tmp_path / "store", resident=1)
    store.append(np.zeros(5, np.uint16), {"a": np.arange(5), "b": np.arange(5)})
    assert len(store.read(0)) == 5
    assert len(store.read(0)) == 0
    assert list((tmp_path / "store").iterdir()) == []


def test_an_empty_batch_is_nothing(tmp_path: Path) -> None:
    store = Buckets(PAIR, tmp_path / "store", resident=1)
    store.append(np.empty(0, np.uint16), {"a": np.empty(0, np.int64), "b": np.empty(0, np.uint32)})
    assert store.rows == 0


def test_the_scratch_folder_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch(tmp_path) as folder:
        (folder / "file").write_bytes(b"x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
