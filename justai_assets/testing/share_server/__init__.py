"""A Delta Sharing server for tests and demos: real HTTP, Delta tables from disk, faults on demand.

Written from the published protocol (delta.io/sharing). Two ways to use it::

    with ShareServer({"main.events.unified": Path("/tables/unified")}) as server:
        profile = server.profile()                       # the text of a credential file

    python -m justai_assets.testing.share_server --table main.events.unified=/tables/unified
"""

from justai_assets.testing.share_server.faults import Fault
from justai_assets.testing.share_server.server import ShareServer

__all__ = ["Fault", "ShareServer"]
