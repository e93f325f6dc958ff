"""How an org with `engine: databricks` reaches its workspace. Values are references or names, never secrets."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from justai_assets.orgs.secrets import SecretRef, StrictModel

Engine = Literal["polars", "databricks"]
ON_DATABRICKS: Final[Engine] = "databricks"


class Databricks(StrictModel):
    """The workspace, and what a job of it runs on: serverless, a new job cluster, or one that exists.

    Attributes:
        host: reference to the workspace's address; without it the SDK's own variables (DATABRICKS_HOST, …) or profile.
        client_id: reference to a service principal's id, for OAuth.
        client_secret: reference to its secret.
        token: reference to a personal access token, where there is no service principal.
        wheel: address of this package's wheel, as the cluster sees it.
        volume: Unity Catalog volume that context and messages travel through; serverless needs one, clusters without
            one use the DBFS.
        cluster: `new_cluster` of the Jobs API, passed on as it is.
        existing_cluster_id: a running all-purpose cluster; dearer by the hour, without the minutes of a start.
        environment_version: of the serverless environment.
        timeout_minutes: after which Databricks ends a job.
    """

    host: SecretRef | None = None
    client_id: SecretRef | None = None
    client_secret: SecretRef | None = None
    token: SecretRef | None = None
    wheel: Annotated[str, Field(pattern=r"^(/Volumes/|/Workspace/|s3://|dbfs:/).+\.whl$")]
    volume: Annotated[str, Field(pattern=r"^/Volumes/[^/]+/[^/]+/[^/]+(/[^/]+)*$")] | None = None
    cluster: dict[str, Any] | None = None
    existing_cluster_id: Annotated[str, Field(min_length=1)] | None = None
    environment_version: Annotated[str, Field(pattern=r"^[0-9]+$")] = "4"
    timeout_minutes: Annotated[int, Field(ge=1, le=1440)] = 120

    @property
    def is_serverless(self) -> bool:
        """Whether no cluster is named."""
        return self.cluster is None and self.existing_cluster_id is None

    @model_validator(mode="after")
    def _one_place_to_run(self) -> Databricks:
        if self.cluster is not None and self.existing_cluster_id is not None:
            raise ValueError("cluster and existing_cluster_id are both given; remove one")
        if self.cluster is not None and "spark_version" not in self.cluster:
            raise ValueError("cluster: spark_version is missing; write new_cluster as the Jobs API takes it")
        if self.is_serverless and self.volume is None:
            raise ValueError("serverless jobs need a volume; add volume: /Volumes/catalog/schema/name, or a cluster")
        if (self.client_id is None) != (self.client_secret is None):
            raise ValueError("client_id and client_secret go together; give both or neither")
        if self.client_id is not None and self.token is not None:
            raise ValueError("token and client_id are two identities; remove one")
        return self
