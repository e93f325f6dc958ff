"""The Dagster instance of DAGSTER_HOME: opened, or a clear error that says what of it is wrong."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.errors import DagsterInvalidConfigError
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from justai_assets.contract.errors import JustAIError

HOME = "DAGSTER_HOME"


class HomeError(JustAIError):
    """An instance that cannot be opened or asked. Nothing of its configuration is repeated: it may hold a password."""

    code = "dagster_home"


class HomeAwayError(HomeError):
    """Its database does not answer."""

    transient = True


@contextmanager
def instance() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, or one that lasts as long as the call.

    Raises:
        HomeError: it cannot be opened, or its database goes away meanwhile.
    """
    if not os.environ.get(HOME):
        with dg.DagsterInstance.ephemeral() as found:
            yield found
        return
    with database_errors():
        with opening_errors():
            found = dg.DagsterInstance.get()
        with found:
            yield found


def require_used_home() -> None:
    """That some Dagster has used the folder of DAGSTER_HOME: opening another would lay out an empty instance in it.

    Raises:
        HomeError: there is neither a dagster.yaml nor a storage in it.
    """
    home = Path(os.environ.get(HOME, ""))
    if home.is_dir() and not any((home / name).exists() for name in ("dagster.yaml", "history")):
        raise HomeError(
            f"{HOME}: {home} holds no Dagster instance",
            mend="name the folder that the daemon uses, or unset it",
        )


@contextmanager
def opening_errors() -> Iterator[None]:
    """Around what opens the instance of DAGSTER_HOME: what is wrong with the folder or its dagster.yaml.

    Raises:
        HomeError: one line, without a value of the configuration.
    """
    home = Path(os.environ.get(HOME, ""))
    if not home.is_absolute():
        raise HomeError(f"{HOME} is {str(home)!r}, not an absolute path", mend="write it from the root, /…")
    if not home.is_dir():
        raise HomeError(f"{HOME}: {home} is not a folder", mend="create it, or name the one that the daemon uses")
    file = home / "dagster.yaml"
    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise HomeError(f"{file}{line} is not valid YAML", mend="compare it with deploy/dagster.yaml") from None
    except DagsterInvalidConfigError as error:
        unset = sorted(set(re.findall(r'environment variable "?(\w+)', str(error))))
        why = f"names variables that are not set: {', '.join(unset)}" if unset else "is not a valid configuration"
        raise HomeError(f"{file} {why}", mend="`dagster instance info` says where") from None
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        what = f"the module {error.name}" if isinstance(error, ModuleNotFoundError) else "a database driver"
        raise HomeError(
            f"{file} needs {what}, which is not installed",
            mend="install the server extra, and give the storage's scheme as in deploy/dagster.yaml",
        ) from None


@contextmanager
def database_errors() -> Iterator[None]:
    """Around what asks an instance: its database being away is one line, and not a retry's five warnings before it."""
    root = logging.getLogger()
    root.addFilter(_is_no_retry)
    try:
        yield
    except Exception as error:
        if isinstance(error, DBAPIError) or isinstance(error.__cause__, DBAPIError):
            raise HomeAwayError(
                f"the database of {HOME} does not answer ({type(error).__name__})",
                mend="see that the server in dagster.yaml runs, and takes the account",
            ) from None
        raise
    finally:
        root.removeFilter(_is_no_retry)


def _is_no_retry(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Retrying failed database connection")
