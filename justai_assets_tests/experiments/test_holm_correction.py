import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from justai_assets.experiments.holm_correction import holm


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_correcting_never_makes_a_p_value_smaller_nor_changes_the_order(p_values):
    adjusted = holm(p_values)
    pairs = [(p, q) for p, q in zip(p_values, adjusted, strict=True) if p is not None]
    assert [q is None for q in adjusted] == [p is None for p in p_values]
    assert all(p <= q <= 1 for p, q in pairs)
    by_p = [q for _, q in sorted(pairs)]
    assert by_p == sorted(by_p)


def test_one_question_needs_no_correction():
    assert holm([None, 0.04]) == (None, 0.04)


def test_no_question_no_answer():
    assert holm([]) == ()
    assert holm([None]) == (None,)


def test_holm_is_that_of_statsmodels():
    p_values = [0.01, 0.04, 0.03, 0.005, 0.9, 0.04]
    assert np.allclose(holm(p_values), multipletests(p_values, method="holm")[1])
