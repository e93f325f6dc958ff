"""`justai doctor`: is each door of an org well, and what mends it."""

from __future__ import annotations

from pathlib import Path


def doctor(*, org: str, sample: Path | None = None, door: str | None = None) -> int:
    """Check each door of an org for real; every finding comes with its mend. Exit 1 when something is wrong.

    Example: `justai doctor --org acme`

    Looks at what landed last (reachable, listing, age, stale parts, small files, skew), takes the last day of each door
    in as the assets would (contract, event names, identity, clocks), compares doors, asks the share, and counts
    unattributed events. Writes nothing.

    Parameters
    ----------
    org
        The org's slug.
    sample
        Check this Parquet or JSON file instead, before anything is connected.
    door
        The door the sample is for; told from its content when not given.
    """
    from justai_assets.landing import decoder
    from justai_assets.settings import Settings
    from justai_assets.sources.registry import configurable, is_drop

    settings = Settings.from_environment()
    found = settings.orgs().get(org)
    has_drops = any(is_drop(source) for source in found.sources.present())
    if has_drops if sample is None else sample.suffix == ".parquet":
        # It starts while the rest is imported.
        decoder.start()

    from datetime import UTC, datetime

    from rich.console import Console
    from rich.text import Text

    from justai_assets.lake.store import Lake
    from justai_assets.quality.doctor.examination import examine
    from justai_assets.quality.doctor.finding import is_well
    from justai_assets.quality.doctor.sample_file import SampleError, examine_sample
    from justai_assets.storage import Root

    if door is not None and door not in configurable():
        raise SampleError(f"{door!r} is not a source", mend=f"choose {', '.join(configurable())}")
    now = datetime.now(UTC)
    out = Console(highlight=False, soft_wrap=True)
    findings = []
    if sample is None:
        examined = examine(Root.parse(settings.landing), Lake(Root.parse(settings.lake)), found, now)
    else:
        examined = iter(examine_sample(found, sample, now, door=door))
    styles = {"ok": "green", "warning": "yellow", "problem": "red"}
    for finding in examined:
        findings.append(finding)
        line = Text(f"{finding.level:<8}", styles[finding.level])
        out.print(line.append(f" {finding.door}: {finding.check}: {finding.message}", "default"))
        if finding.mend:
            out.print(Text(f"         → {finding.mend}"))
    counts = {level: sum(finding.level == level for finding in findings) for level in styles}
    out.print(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['problem']} problems")
    return 0 if is_well(findings) else 1
