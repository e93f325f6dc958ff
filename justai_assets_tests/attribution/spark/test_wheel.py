from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from justai_assets.attribution.spark.wheel import build_wheel

IMPORT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"dagster", "polars", "deltalake", "pydantic", "numpy", "dagster_databricks"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import justai_assets.attribution.spark.job as job
print(job.__file__)
try:
    job.main([])
except Exception as error:
    print(type(error).__name__, error)
"""


def test_the_wheel_alone_is_enough_to_start_the_job(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)
    environment = {"PYTHONPATH": str(wheel), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    where, said = done.stdout.splitlines()
    assert where.startswith(str(wheel)), "the job was imported from the wheel"
    assert said.startswith("TaskError the job is started by an asset")


def test_the_wheel_names_its_entry_point_its_one_need_and_its_files(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path / "one")
    assert build_wheel(tmp_path / "two").name == wheel.name
    assert (tmp_path / "two" / wheel.name).read_bytes() == wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith("/METADATA")).rpartition("/")[0]
        needs = [line for line in archive.read(f"{info}/METADATA").decode().splitlines() if "Requires-Dist" in line]
        entry = archive.read(f"{info}/entry_points.txt").decode()
        record = archive.read(f"{info}/RECORD").decode().splitlines()
    assert "justai_assets/attribution/spark/job.py" in names
    assert len(needs) == 1 and needs[0].startswith("Requires-Dist: dagster-pipes")
    assert "justai-spark-job = justai_assets.attribution.spark.job:main" in entry
    assert [line.partition(",")[0] for line in record] == names


def test_pip_takes_the_wheel(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)
    from packaging.metadata import Metadata
    from packaging.utils import parse_wheel_filename

    name, version, _, tags = parse_wheel_filename(wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        raw = archive.read(next(one for one in archive.namelist() if one.endswith("/METADATA")))
    metadata = Metadata.from_email(raw)
    assert (metadata.name, metadata.version) == ("justai_assets", version)
    assert name == "justai-assets"
    assert {str(tag) for tag in tags} == {"py3-none-any"}
