"""The environment: where landing, lake and org files are. Read when asked for, never at import."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from justai_assets.contract.errors import JustAIError
from justai_assets.orgs.org_loader import Orgs, load_orgs
from justai_assets.storage import Root

DEFAULT_LANDING = ".justai/landing"
DEFAULT_LAKE = ".justai/lake"
DEFAULT_ORGS_DIR = "orgs"
DEFAULT_MARTS = ".justai/marts.duckdb"


@dataclass(frozen=True)
class Settings:
    """Where things are.

    Attributes:
        landing: URL or path of what others write (JUSTAI_LANDING).
        lake: URL or path of what we write (JUSTAI_LAKE).
        orgs_dir: folder of `<slug>.yaml` (JUSTAI_ORGS_DIR).
        only: slugs of this slice, or None for all (JUSTAI_ORGS, comma-separated).
        marts: the DuckDB file of the marts (JUSTAI_MARTS); local, because DuckDB writes in place.
    """

    landing: str
    lake: str
    orgs_dir: Path
    only: tuple[str, ...] | None = None
    marts: Path = Path(DEFAULT_MARTS)

    @classmethod
    def from_environment(cls) -> Settings:
        """From the JUSTAI_ variables named above; an empty value counts as unset."""
        slugs = tuple(slug.strip() for slug in os.environ.get("JUSTAI_ORGS", "").split(",") if slug.strip())
        return cls(
            landing=os.environ.get("JUSTAI_LANDING") or DEFAULT_LANDING,
            lake=os.environ.get("JUSTAI_LAKE") or DEFAULT_LAKE,
            orgs_dir=Path(os.environ.get("JUSTAI_ORGS_DIR") or DEFAULT_ORGS_DIR),
            only=slugs or None,
            marts=Path(os.environ.get("JUSTAI_MARTS") or DEFAULT_MARTS),
        )

    @property
    def slice_name(self) -> str:
        """What tells this slice from others that share the lake: a hash of its slugs; "" for all orgs.

        >>> Settings("landing", "lake", Path("orgs")).slice_name
        ''
        """
        if self.only is None:
            return ""
        return hashlib.blake2b(",".join(sorted(set(self.only))).encode(), digest_size=6).hexdigest()

    def require_orgs_dir(self) -> None:
        """That the folder of org files is there.

        Raises:
            JustAIError: it is not, which is not the same as no org.
        """
        if not self.orgs_dir.is_dir():
            raise JustAIError(
                f"there is no folder {self.orgs_dir} of org files",
                code="no_org_folder",
                mend="write the first with justai org new, or set JUSTAI_ORGS_DIR to where they are",
            )

    def lake_to_read(self) -> Root:
        """The lake's root, for a command that reads it alone.

        Raises:
            StorageError: a local root that is not there: a typo, a disk that is not mounted, or nothing was built yet.
        """
        root = Root.parse(self.lake)
        root.require("JUSTAI_LAKE", mend="justai materialize makes it; or set JUSTAI_LAKE to where the lake is")
        return root

    def orgs(self, *, check_secrets: bool = False) -> Orgs:
        """The org files of this slice.

        Raises:
            JustAIError: JUSTAI_ORGS_DIR names no folder. Where it is unset, an absent folder holds no org.
        """
        if self.orgs_dir != Path(DEFAULT_ORGS_DIR):
            self.require_orgs_dir()
        return load_orgs(self.orgs_dir, only=self.only, check_secrets=check_secrets)


def memory_budget() -> int | None:
    """Bytes that attribution may hold at once (JUSTAI_MEMORY_BUDGET); None: a quarter of the machine.

    Apart from Settings, because nothing but attribution should stop at a number that cannot be read.

    Raises:
        JustAIError: it is not a whole number of bytes above 0.
    """
    text = os.environ.get("JUSTAI_MEMORY_BUDGET", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise JustAIError(
            f"JUSTAI_MEMORY_BUDGET={text!r} is not a number of bytes",
            code="memory_budget",
            mend="for example 4000000000, or leave it unset",
        )
    return int(text)
