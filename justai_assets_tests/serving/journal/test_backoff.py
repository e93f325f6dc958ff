from justai_assets.serving.journal.backoff import MAX_SOURCE_SECONDS, Backoff
from justai_assets.serving.journal.segment_landing import Sealed
from justai_assets.serving.journal.uploads import Refused
from justai_assets_tests.serving.sealers import Clock
from justai_assets_tests.serving.segments import RECORDS


def test_the_other_days_of_a_source_have_their_turn_before_one_that_is_refused_again_and_again() -> None:
    clock = Clock()
    found = Backoff(clock)
    first = RECORDS[0][0]
    for _ in range(4):
        found.take_note(Sealed(refused=(Refused(first, "storage_transient", "", transient=True),)))
    clock.now += MAX_SOURCE_SECONDS
    assert found.avoided() == {first}
    found.take_note(Sealed(landed=frozenset([first])))
    assert found.avoided() == set()
