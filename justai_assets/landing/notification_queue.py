"""The queue of S3 notifications, on SQS."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from justai_assets.contract.errors import StorageError, TransientStorageError

RECEIVED_FOR: Final = 300
"""Seconds that a received message stays invisible: it comes back when the tick that took it left no trace."""

_PAGE = 10
_TRANSIENT = {"ThrottlingException", "RequestThrottled", "ServiceUnavailable", "InternalFailure", "InternalError"}


@dataclass(frozen=True)
class Message:
    """A received message: the receipt that deletes it, and its text."""

    receipt: str
    body: str


@dataclass(frozen=True)
class LandingQueue:
    """An SQS queue by its URL. Credentials, region and endpoint come from the standard AWS variables."""

    url: str

    @cached_property
    def client(self) -> Any:
        """The boto3 client; the region is the URL's where no variable names one."""
        import boto3
        from botocore.config import Config

        named = re.search(r"//sqs\.([a-z0-9-]+)\.", self.url)
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or (named and named.group(1))
        # A sensor's tick ends after 60 seconds; the next one is its retry.
        config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
        return boto3.client("sqs", region_name=region or "us-east-1", config=config)

    def receive(self, most: int) -> Iterator[Message]:
        """Messages, until there are none or `most` is reached; a message may come more than once, in any order.

        Each request waits a second for messages, which asks all of SQS's servers: none means that there are none.
        """
        left = most
        while left > 0:
            with _queue_errors("receiving"):
                answer = self.client.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=min(_PAGE, left),
                    VisibilityTimeout=RECEIVED_FOR,
                    WaitTimeSeconds=1,
                )
            found = answer.get("Messages", ())
            if not found:
                return
            for one in found:
                yield Message(one["ReceiptHandle"], one.get("Body", ""))
            left -= len(found)

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages; one that is gone, or whose receipt has expired, comes back or does not: either is fine."""
        for start in range(0, len(receipts), _PAGE):
            page = receipts[start : start + _PAGE]
            entries = [{"Id": str(index), "ReceiptHandle": receipt} for index, receipt in enumerate(page)]
            with _queue_errors("deleting"):
                self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)


@contextmanager
def _queue_errors(doing: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        kind = TransientStorageError if code in _TRANSIENT else StorageError
        raise kind(
            f"{doing} messages of JUSTAI_LANDING_QUEUE failed: {code}", mend="check its URL and grants"
        ) from None
    except BotoCoreError as error:
        raise TransientStorageError(
            f"{doing} messages of JUSTAI_LANDING_QUEUE: {type(error).__name__}", mend="it is tried again"
        ) from None
