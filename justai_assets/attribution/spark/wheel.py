"""The wheel a cluster installs: this package's modules, requiring nothing but `dagster-pipes`.

The wheel that packaging tools make of the project requires Dagster, dbt and all the rest, which a cluster would install
at every start, over the versions that its runtime was tested with. The job imports none of them.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

NAME: Final = "justai_assets"
ENTRY_POINT: Final = "justai-spark-job"
JOB: Final = f"{NAME}.attribution.spark.job"
NEEDS: Final = (
    "__init__.py", "contract/__init__.py", "contract/events.py", "contract/reasons.py", "attribution/__init__.py",
    "attribution/spark/*.py",
)  # fmt: skip
"""Files of the package that the job imports; a test runs it with nothing else."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_wheel(folder: Path) -> Path:
    """Write the wheel into a folder; the same code gives the same bytes and the same name.

    The version's local part is a digest of the code: a cluster never keeps an older wheel under an equal name.
    """
    package = Path(__file__).parents[2]
    found = sorted({path for pattern in NEEDS for path in package.glob(pattern)})
    files = {f"{NAME}/{path.relative_to(package).as_posix()}": path.read_bytes() for path in found}
    digest = hashlib.sha256(b"\0".join(name.encode() + b"\0" + body for name, body in files.items())).hexdigest()
    release = f"{_version(NAME)}+job.{digest[:12]}"
    info = f"{NAME}-{release}.dist-info"
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {release}\nRequires-Python: >=3.10\n"
        f"Requires-Dist: dagster-pipes>={_version('dagster-pipes')}\n"
    ).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: justai\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{ENTRY_POINT} = {JOB}:main\n".encode()
    record = [f"{name},sha256={_digest(body)},{len(body)}" for name, body in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}-{release}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), body, zipfile.ZIP_DEFLATED)
    return path


def _digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "0"
