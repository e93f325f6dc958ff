"""What goes wrong with a Spark job, and whether trying again may help."""

from justai_assets.contract.errors import JustAIError


class SparkJobError(JustAIError):
    """A job that did not do its work; nothing of it was entered in the ledger.

    Attributes:
        link: page of the Databricks run, where there is one.
    """

    code = "spark_job"

    def __init__(self, message: str, *, mend: str = "", transient: bool = False, link: str | None = None) -> None:
        super().__init__(message, mend=mend)
        self.transient = transient
        self.link = link
