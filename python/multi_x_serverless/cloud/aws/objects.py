"""Objects (the object port) on S3: one bucket per region and account, private, encrypted, payloads swept."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from multi_x_serverless.cloud.aws.names import bucket_name
from multi_x_serverless.cloud.aws.session import AwsSession, code_of
from multi_x_serverless.cloud.ports import ObjectDescription
from multi_x_serverless.errors import ResourceNotFoundError
from multi_x_serverless.sdk.tables import PAYLOAD_OBJECT_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PAYLOAD_DAYS = 7
"""After how many days a large payload is deleted: longer than any message may ask for it."""

NO_PUBLIC_ACCESS = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
"""What keeps a bucket private whatever its policy says."""

_REGION_WITHOUT_CONSTRAINT = "us-east-1"  # S3 refuses this one as a location constraint


class AwsObjectStore:
    """See `multi_x_serverless.cloud.ports.ObjectStore`.

    A region's bucket is made with its first object. Names of buckets can be guessed and are global, so every request
    says which account the bucket must belong to.
    """

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._ready: set[str] = set()

    def put_object(self, region: str, key: str, body: bytes, *, is_prepared: bool = False) -> None:
        """Store an object, replacing any of the same key."""
        client = self._session.s3(region)
        if not is_prepared:
            self.provide_bucket(region)
        with self._session.errors("put_object", region, f"object '{key}'"):
            client.put_object(**self._bucket(region), Key=key, Body=body)

    def get_object(self, region: str, key: str) -> bytes:
        """Read an object."""
        client = self._session.s3(region)
        with self._session.errors("get_object", region, f"object '{key}'"):
            return client.get_object(**self._bucket(region), Key=key)["Body"].read()

    def delete_object(self, region: str, key: str) -> None:
        """Delete an object."""
        client = self._session.s3(region)
        with suppress(ResourceNotFoundError), self._session.errors("delete_object", region, f"object '{key}'"):
            client.delete_object(**self._bucket(region), Key=key)

    def has_object(self, region: str, key: str) -> bool:
        """Whether there is an object of exactly this key."""
        client = self._session.s3(region)
        try:
            with self._session.errors("has_object", region, f"object '{key}'"):
                client.head_object(**self._bucket(region), Key=key)
        except ResourceNotFoundError:
            return False
        return True

    def list_objects(self, region: str, prefix: str) -> tuple[str, ...]:
        """Keys that start with `prefix`, sorted."""
        return tuple(found.key for found in self.describe_objects(region, prefix))

    def describe_objects(self, region: str, prefix: str) -> tuple[ObjectDescription, ...]:
        """What `list_objects` lists, with size and time."""
        client = self._session.s3(region)
        try:
            with self._session.errors("list_objects", region, f"bucket '{self.bucket(region)}'"):
                pages = client.get_paginator("list_objects_v2").paginate(**self._bucket(region), Prefix=prefix)
                found = [
                    ObjectDescription(entry["Key"], entry["Size"], entry["LastModified"].timestamp())
                    for page in pages
                    for entry in page.get("Contents", ())
                ]
        except ResourceNotFoundError:
            return ()
        return tuple(sorted(found, key=lambda description: description.key))

    def copy_object(self, source_region: str, key: str, target_region: str) -> int:
        """Copy an object between regions inside S3; returns the bytes moved."""
        target = self._session.s3(target_region)
        size = self.require_object(source_region, key)
        self.provide_bucket(target_region)
        with self._session.errors("copy_object", target_region, f"object '{key}'"):
            target.copy_object(
                **self._bucket(target_region),
                Key=key,
                CopySource={"Bucket": self.bucket(source_region), "Key": key},
                ExpectedSourceBucketOwner=self._session.account_id(),
            )
        return size

    def require_object(self, region: str, key: str) -> int:
        """Bytes of an object that must be there.

        Raises:
            ResourceNotFoundError: There is none.
        """
        client = self._session.s3(region)
        with self._session.errors("require_object", region, f"object '{key}'"):
            return client.head_object(**self._bucket(region), Key=key)["ContentLength"]

    def bucket(self, region: str) -> str:
        """Name of a region's bucket."""
        return bucket_name(self._session.account_id(), region)

    def provide_bucket(self, region: str) -> None:
        """Make a bucket, or give the one that is there its properties (the making of it may have been interrupted)."""
        client = self._session.s3(region)
        with self._lock:
            if region in self._ready:
                return
            with self._session.errors("create_bucket", region, f"bucket '{self.bucket(region)}'"):
                self._create_bucket(client, region)
                self._configure_bucket(client, region)
            self._ready.add(region)

    def delete_bucket(self, region: str) -> bool:
        """Delete a region's bucket with all it holds; whether there was one."""
        client = self._session.s3(region)
        with self._lock:
            self._ready.discard(region)
        try:
            with self._session.errors("delete_bucket", region, f"bucket '{self.bucket(region)}'"):
                for page in client.get_paginator("list_objects_v2").paginate(**self._bucket(region)):
                    keys: Any = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
                    if keys:
                        client.delete_objects(**self._bucket(region), Delete={"Objects": keys, "Quiet": True})
                client.delete_bucket(**self._bucket(region))
        except ResourceNotFoundError:
            return False
        return True

    def _bucket(self, region: str) -> Any:  # keyword arguments of every call
        return {"Bucket": self.bucket(region), "ExpectedBucketOwner": self._session.account_id()}

    def _create_bucket(self, client: S3Client, region: str) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        elsewhere: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            client.create_bucket(
                Bucket=self.bucket(region), **({} if region == _REGION_WITHOUT_CONSTRAINT else elsewhere)
            )
        except ClientError as error:
            if code_of(error) != "BucketAlreadyOwnedByYou":
                raise
        client.get_waiter("bucket_exists").wait(**self._bucket(region))

    def _configure_bucket(self, client: S3Client, region: str) -> None:
        tags: Any = self._session.tag_list
        public_access: Any = NO_PUBLIC_ACCESS
        client.put_bucket_tagging(**self._bucket(region), Tagging={"TagSet": tags})
        client.put_public_access_block(**self._bucket(region), PublicAccessBlockConfiguration=public_access)
        client.put_bucket_encryption(
            **self._bucket(region),
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        )
        client.put_bucket_lifecycle_configuration(
            **self._bucket(region),
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "sweep-payloads",
                        "Status": "Enabled",
                        "Filter": {"Prefix": PAYLOAD_OBJECT_PREFIX},
                        "Expiration": {"Days": PAYLOAD_DAYS},
                    }
                ]
            },
        )
