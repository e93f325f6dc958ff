"""The code location. Loading it reads org files and the log of one table, whose lake may be away; no secret, no row."""

import logging

import dagster as dg

from justai_assets.contract.errors import StorageError
from justai_assets.dag.served_location import served
from justai_assets.lake.format_probe import refuse_other_format
from justai_assets.lake.store import Lake
from justai_assets.settings import Settings
from justai_assets.storage import Root


@dg.definitions
def defs() -> dg.Definitions:
    """The assets of the orgs in JUSTAI_ORGS_DIR (a slice of them: JUSTAI_ORGS), and the marts where they are parsed.

    Raises:
        LakeFormatError: another version of justai_assets wrote the lake in a way that this one does not know.
    """
    settings = Settings.from_environment()
    orgs = settings.orgs()
    try:
        lake = Lake(Root.parse(settings.lake))
    except StorageError as error:
        # Every run says so again. What needs no lake still loads.
        logging.getLogger(__name__).warning("JUSTAI_LAKE: %s", error)
    else:
        refuse_other_format(lake, orgs.by_slug)
    return served(orgs)
