"""Whether an id names somebody, in SQL: the definition of `contract.placeholders`, read from there.

No regular expressions, on which dialects disagree: trimming, lower case, and lists.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from justai_assets.contract.placeholders import (
    CONTROLS,
    EXACT,
    MARKS,
    MAYBE_MAILBOX,
    NO_MAILBOX,
    NO_MAILBOXES,
    OWN_DOMAIN,
    SPACES,
    TAGS,
    WORDS,
)

_SPELLED_OUT = (*map(chr, CONTROLS), "'", "\\", ";")
"""Characters that dialects escape in different ways, and at which tools cut a script: by number."""


def trimmed(text: exp.Expression) -> exp.Expression:
    """Without white space and invisible characters at its ends."""
    return _without(text, SPACES)


def bare(text: exp.Expression) -> exp.Expression:
    """In lower case, without punctuation around it."""
    return exp.Lower(this=_without(text, SPACES + MARKS))


def names_somebody(identifier: exp.Expression, lowered: exp.Expression, bare_id: exp.Expression) -> exp.Expression:
    """Whether an id is neither null nor blank nor a placeholder.

    Args:
        identifier: as `trimmed` returns it.
        lowered: the same in lower case.
        bare_id: the same, as `bare` returns it.
    """
    at = exp.StrPosition(this=lowered.copy(), substr=exp.Literal.string("@"))
    local = exp.Substring(this=lowered.copy(), start=exp.Literal.number(1), length=at.copy())
    after = exp.Add(this=at.copy(), expression=exp.Literal.number(1))
    domain = exp.Substring(this=lowered.copy(), start=after, length=exp.Literal.number(256))
    start = exp.Substring(this=identifier.copy(), start=exp.Literal.number(1), length=exp.Literal.number(2))
    only_zeros = exp.EQ(this=_without(bare_id, SPACES + MARKS + "0"), expression=exp.Literal.string(""))
    is_placeholder: list[exp.Expression] = [
        only_zeros,
        _among(bare_id, WORDS),
        _among(lowered, EXACT),
        # Tools that fill in templates would take the tags themselves for theirs.
        exp.In(this=start, expressions=[_joined(map(exp.Literal.string, tag)) for tag in TAGS]),
        _among(local, [f"{name}@" for name in NO_MAILBOX]),
        _among(lowered, OWN_DOMAIN),
        exp.And(this=_among(local, [f"{name}@" for name in MAYBE_MAILBOX]), expression=_among(domain, NO_MAILBOXES)),
    ]
    present = exp.Not(this=exp.Is(this=identifier.copy(), expression=exp.Null()))
    whole = exp.and_(present, *(exp.not_(one) for one in is_placeholder))
    assert isinstance(whole, exp.Expression)
    return whole


def _without(text: exp.Expression, characters: str) -> exp.Expression:
    plain = "".join(one for one in characters if one not in _SPELLED_OUT)
    coded = [exp.Chr(expressions=[exp.Literal.number(ord(one))]) for one in characters if one in _SPELLED_OUT]
    return exp.Trim(this=text.copy(), expression=_joined([*coded, exp.Literal.string(plain)]))


def _joined(texts: Iterable[exp.Expression]) -> exp.Expression:
    return exp.Concat(expressions=list(texts), safe=False, coalesce=False)


def _among(text: exp.Expression, values: Iterable[str]) -> exp.Expression:
    found = []
    for value in sorted(values):
        before, backslash, after = value.partition("\\")
        code = exp.Chr(expressions=[exp.Literal.number(ord("\\"))])
        found.append(
            _joined([code, exp.Literal.string(after)]) if backslash and not before else exp.Literal.string(value)
        )
    return exp.In(this=text.copy(), expressions=found)
