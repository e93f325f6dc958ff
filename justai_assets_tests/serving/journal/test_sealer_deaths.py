from pathlib import Path

from justai_assets.serving.journal.sealer_deaths import count_death, deaths_at, forget_work, note_work


def test_a_death_at_one_segment_is_no_death_of_the_one_before(tmp_path: Path) -> None:
    journal = tmp_path
    for name in ("a/1", "b/1", "a/1"):
        note_work(journal, name)
        count_death(journal)
    count_death(journal)  # between two segments
    assert (deaths_at(journal, "a/1"), deaths_at(journal, "b/1")) == (2, 1)
    note_work(journal, "a/1")
    forget_work(journal, "a/1")
    assert (deaths_at(journal, "a/1"), deaths_at(journal, "b/1")) == (0, 1)


def test_the_note_of_an_earlier_version_is_read_and_nonsense_is_no_note(tmp_path: Path) -> None:
    (tmp_path / "sealer.work").write_text('{"segment": "a/1", "deaths": 1}')
    count_death(tmp_path)
    assert deaths_at(tmp_path, "a/1") == 2
    for nonsense in ("", "[]", '{"deaths": {"a/1": "x"}}', "\x00"):
        (tmp_path / "sealer.work").write_text(nonsense)
        assert deaths_at(tmp_path, "a/1") == 0
        count_death(tmp_path)
