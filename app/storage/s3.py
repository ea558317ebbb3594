"""Objects in a bucket of S3 or of a compatible server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from app.storage import StorageRefused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

#: Size of a part in bytes. S3 requires at least 5 MiB for all parts but the last, and accepts 10,000 parts.
PART_BYTES = 8 << 20

#: Timeouts are short: a worker that waited longer would outlive its lease.
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "max_attempts": 3},
    # Not all compatible servers support checksums of whole objects.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_WRONG_CREDENTIALS = "The storage refuses the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)."
#: Error codes of denied access, as sentences for operators.
_REFUSALS = {
    "NoSuchBucket": "The storage has no such bucket as STORAGE_URL names.",
    "InvalidAccessKeyId": _WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": _WRONG_CREDENTIALS,
    "InvalidToken": _WRONG_CREDENTIALS,
    "ExpiredToken": "The storage refuses the credentials: they have expired.",
    "RequestTimeTooSkewed": "The storage refuses the request: the clock of this host is wrong.",
    **dict.fromkeys(("AccessDenied", "403", "Forbidden"), "The storage does not allow this with these credentials."),
}


class S3Storage:
    """Stores each object under a prefix of a bucket, on Amazon's servers unless ``endpoint_url`` names another.

    ``server_side_encryption`` is ``AES256`` or ``aws:kms``, and ``kms_key_id`` the key for the latter. Without them the
    defaults of the bucket and of the account apply.
    """

    def __init__(
        self, bucket: str, prefix: str, endpoint_url: str = "", server_side_encryption: str = "", kms_key_id: str = ""
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._endpoint_url = endpoint_url or None
        chosen = {"ServerSideEncryption": server_side_encryption, "SSEKMSKeyId": kms_key_id}
        self._encryption: dict[str, Any] = {name: value for name, value in chosen.items() if value}
        self._client_of: tuple[int, S3Client] | None = None

    @contextmanager
    def create(self, key: str) -> Iterator[_S3Writer]:
        """Send the object in parts; without ``commit`` they are discarded."""
        writer = _S3Writer(self._client(), self._bucket, self._prefix + key, self._encryption)
        try:
            yield writer
        finally:
            writer.abort()

    def read(self, key: str, start: int, end: int) -> bytes:
        """The bytes ``start`` to ``end``; FileNotFoundError when there is no such object, OSError for other errors."""
        with _os_errors(key):
            answer = self._client().get_object(
                Bucket=self._bucket, Key=self._prefix + key, Range=f"bytes={start}-{end - 1}"
            )
            data = answer["Body"].read()
        if len(data) != end - start:
            raise OSError(f"The stored object {key} gave {len(data)} bytes instead of {end - start}.")
        return data

    def delete(self, key: str) -> None:
        """Remove the object if it is there."""
        with _os_errors(key):
            self._client().delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def check(self) -> None:
        """Raise OSError unless the bucket answers."""
        try:
            with _os_errors(self._bucket):
                self._client().head_bucket(Bucket=self._bucket)
        except FileNotFoundError as error:
            # The answer to a HEAD request has no error code, only the status 404.
            raise StorageRefused(_REFUSALS["NoSuchBucket"]) from error

    def list_keys(self, *, older_than_seconds: float) -> Iterator[str]:
        """The keys of the objects under the prefix that are older."""
        made_before = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        with _os_errors(self._bucket):
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for found in page.get("Contents", []):
                    if found["LastModified"] < made_before:
                        yield found["Key"].removeprefix(self._prefix)

    def clean(self, *, older_than_seconds: float) -> int:
        """Discard the parts of uploads whose process died. Returns the number of uploads."""
        begun_before = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        count = 0
        with _os_errors(self._bucket):
            pages = self._client().get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for upload in page.get("Uploads", []):
                    if upload["Initiated"] < begun_before:
                        self._client().abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        count += 1
        return count

    def _client(self) -> S3Client:
        """A client for this process: one created before a fork would share its connections with the parent."""
        if self._client_of is None or self._client_of[0] != os.getpid():
            client = boto3.client("s3", endpoint_url=self._endpoint_url, config=_CONFIG)
            self._client_of = os.getpid(), client
        return self._client_of[1]


class _S3Writer:
    """Collects bytes into parts; an object that fits into one part is sent whole."""

    def __init__(self, client: S3Client, bucket: str, key: str, encryption: dict[str, Any]) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._encryption = encryption
        self._waiting = bytearray()
        self._upload_id = ""
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= PART_BYTES:
            self._send_part()

    def commit(self) -> None:
        with _os_errors(self._key):
            if not self._upload_id:
                self._client.put_object(
                    Bucket=self._bucket, Key=self._key, Body=bytes(self._waiting), **self._encryption
                )
                return
            if self._waiting:
                self._send_part()
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )
        self._upload_id = ""

    def abort(self) -> None:
        """Discard the parts that were sent, unless they have become an object."""
        if self._upload_id:
            # The error that led here is the one to report; ``clean`` removes leftovers later.
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)
            self._upload_id = ""

    def _send_part(self) -> None:
        with _os_errors(self._key):
            if not self._upload_id:
                begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key, **self._encryption)
                self._upload_id = begun["UploadId"]
            number = len(self._parts) + 1
            sent = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=bytes(self._waiting),
            )
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})
        self._waiting.clear()


@contextmanager
def _os_errors(key: str) -> Iterator[None]:
    """Raise the errors of local files, so that callers need not know where an object is stored."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _MISSING:
            raise FileNotFoundError(f"There is no stored object {key}.") from error
        if code in _REFUSALS:
            raise StorageRefused(_REFUSALS[code]) from error
        raise OSError(f"The storage refused {key}: {error}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StorageRefused(
            "There are no credentials for the storage: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except BotoCoreError as error:
        raise OSError(f"The storage could not be reached for {key}: {error}") from error
