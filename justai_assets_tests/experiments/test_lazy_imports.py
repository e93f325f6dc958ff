"""Reading the modules costs nothing: statistics and drawing are imported where they are used."""

import subprocess
import sys

HEAVY = ("scipy", "statsmodels", "pandas", "altair", "vl_convert", "jinja2", "dagster")
CODE = f"""
import importlib, pkgutil, sys
from justai_assets import experiments, reporting
for package in (experiments, reporting):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        # dbt's plugin is imported by dbt alone, which has all of it.
        if not found.name.endswith(".dbt_sources"):
            importlib.import_module(found.name)
print(",".join(name for name in {HEAVY!r} if name in sys.modules))
"""


def test_importing_experiments_and_report_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
