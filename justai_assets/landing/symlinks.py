"""Links below a local landing root: one that leads out of an org's folder would bring another org's files in."""

from __future__ import annotations

import os
from collections.abc import Iterable

from justai_assets.landing.landing_paths import door_prefix
from justai_assets.storage import LandedObject, Root


def split_links(
    root: Root, door: str, slug: str, objects: Iterable[LandedObject]
) -> tuple[list[LandedObject], tuple[LandedObject, ...]]:
    """The objects that lie below a door's prefix of an org, and those to which a link leads out of it, both by key.

    The prefix itself may be a link to a folder outside the landing root (a mounted disk), not to another one inside.
    """
    ordered = sorted(objects, key=lambda one: one.key)
    if not root.is_local or not ordered:
        return ordered, ()
    base = os.path.realpath(root.local())
    plain = os.path.join(base, door_prefix(door, slug))  # noqa: PTH118 - thousands of these, as text
    real = os.path.realpath(plain)
    inside = (plain if real.startswith(base + os.sep) else real) + os.sep
    folders: dict[str, str] = {}
    kept: list[LandedObject] = []
    left: list[LandedObject] = []
    for found in ordered:
        folder, _, name = str(root.local(found.key)).rpartition(os.sep)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        path = folders[folder] + os.sep + name
        path = os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114 - as above
        (kept if path.startswith(inside) else left).append(found)
    return kept, tuple(left)
