"""The command line: `justai --help`. Exit 0: done; 1: failed; 2: wrong use. Errors go to stderr, one clear line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import cyclopts

from justai_assets.commands import attribute_command as attribute
from justai_assets.commands import backfill_command as backfill
from justai_assets.commands import bench_command as bench
from justai_assets.commands import collect_command as collect
from justai_assets.commands import connect_command as connect
from justai_assets.commands import databricks_command as databricks
from justai_assets.commands import demo_command as demo
from justai_assets.commands import doctor_command as doctor
from justai_assets.commands import explain_command as explain
from justai_assets.commands import marts_command as marts
from justai_assets.commands import materialize_command as materialize
from justai_assets.commands import org_command as org
from justai_assets.commands import report_command as report
from justai_assets.commands import sql_command as sql
from justai_assets.commands import status_command as status
from justai_assets.commands import ui_command as ui
from justai_assets.contract.errors import JustAIError, UsageError

FAILED = 1
WRONG_USE = 2
DEBUG = "JUSTAI_DEBUG"
"""Set, an error that nobody foresaw comes with its traceback."""

app = cyclopts.App(
    name="justai",
    help=(
        "One unified, PII-free event stream per org, attributed and measured.\n\n"
        "Where things are: `JUSTAI_LANDING`, `JUSTAI_LAKE` (URLs or paths), `JUSTAI_ORGS_DIR` (folder of org files), "
        "`JUSTAI_ORGS` (a slice of them). Start with `justai demo`."
    ),
    help_format="markdown",
    version_flags=["--version"],
)
app.command(demo.demo)
app.command(ui.ui)
app.command(materialize.materialize)
app.command(backfill.backfill)
app.command(status.status)
app.command(attribute.attribute)
app.command(report.report)
app.command(explain.explain)
app.command(marts.marts)
app.command(collect.collect)
app.command(org.app)
app.command(sql.sql)
app.command(connect.connect)
app.command(doctor.doctor)
app.command(databricks.app)
app.command(bench.app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.CycloptsError as error:
        return _fail(" ".join(str(error).split()), WRONG_USE, hint="see justai --help")
    except UsageError as error:
        return _fail(str(error), WRONG_USE)
    except JustAIError as error:
        return _fail(str(error), FAILED)
    except BrokenPipeError:
        # The reader went away (justai … | head): not our failure, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}", FAILED)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing of the unfinished step was kept", 130)
    except SystemExit:
        raise
    except BaseException as error:  # a panic of a Rust library is no Exception
        if os.environ.get(DEBUG):
            raise
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        what = f"{type(error).__name__}{f': {said[:200]}' if said else ''}"
        return _fail(f"this should not have happened: {what}", FAILED, hint=f"{DEBUG}=1 shows where; please report it")
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int, hint: str = "") -> int:
    sys.stderr.write(f"justai: {message}{f' ({hint})' if hint else ''}\n")
    return code
