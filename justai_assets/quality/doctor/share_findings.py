"""A Delta Share: does the server answer, is the table offered, are its columns the contract's."""

from __future__ import annotations

from datetime import datetime

from justai_assets.contract.errors import JustAIError
from justai_assets.orgs.org_model import Org
from justai_assets.quality.doctor.finding import Finding
from justai_assets.sources.delta_share.spec import SHARE, DeltaShare


def examine_share(org: Org, now: datetime) -> list[Finding]:
    """Ask the server, once, for the table's version and its listing; no data file is fetched."""
    from justai_assets.sources.delta_share.client import ShareClient
    from justai_assets.sources.delta_share.file_listing import list_files
    from justai_assets.sources.delta_share.profile import Profile
    from justai_assets.sources.delta_share.protocol import TableName
    from justai_assets.sources.delta_share.share_errors import TransientShareError
    from justai_assets.sources.delta_share.transport import RequestPolicy

    source = org.sources.settings(SHARE, DeltaShare)
    if source is None:
        return []
    findings = []
    try:
        profile = Profile.parse(org.secret(source.profile))
        table = TableName.parse(source.table)
        warning = profile.expiry_warning(now)
        if warning:
            findings.append(Finding(SHARE.name, "credential", "warning", warning, "ask the provider to rotate it"))
        # A person waits for the answer and can ask again; retries would only be logged between the findings.
        with ShareClient(profile, policy=RequestPolicy(attempts=1)) as client:
            version = client.version(table)
            findings.append(Finding(SHARE.name, "reachable", "ok", f"{table} is at version {version}"))
            files = len(list_files(client, table, extra=source.extra_columns).files)
    except TransientShareError as error:
        mend = (
            "see that this machine reaches the endpoint named in the profile (address, proxy, firewall), and run the "
            "doctor again; if others reach it, ask the provider"
        )
        return [*findings, Finding(SHARE.name, "reachable", "problem", str(error.args[0]), mend)]
    except JustAIError as error:
        mend = error.mend or f"follow justai connect {SHARE.name} --org {org.slug}"
        return [*findings, Finding(SHARE.name, "reachable", "problem", str(error.args[0]), mend)]
    if not files:
        findings.append(Finding(SHARE.name, "files", "problem", "the table has no file", "see that the view has rows"))
    else:
        findings.append(Finding(SHARE.name, "files", "ok", f"{files:,} files; the columns are the contract's"))
    return findings
