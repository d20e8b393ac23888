"""Images from S3, through boto3: endpoint, region and credentials are those of the environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from patchae.errors import AccessRefused, ConfigError, DataError, StoreUnreachable
from patchae.files import Progress, silent
from patchae.images import LeftOut, left_out, summary
from patchae.network import S3, unreachable

SCHEME = "s3://"
_SIDE_BY_SIDE = 16


def fetch_prefix(address: str, target: Path, progress: Progress = silent) -> list[LeftOut]:
    """Bring the images under `s3://bucket/prefix` into an empty folder; return what is left out.

    Raises:
        DataError: the address is none, there is nothing, or a key cannot be a file name, or two of
            them only the same one.
        StoreUnreachable: the store does not answer, or refuses.
    """
    bucket, prefix = split(address)
    start = f"{prefix}/" if prefix else ""
    with _store(address) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
    named = {key: left_out(key.removeprefix(start)) for key in keys if not key.endswith("/")}
    images = [key for key, reason in named.items() if reason is None]
    others = [reason for reason in named.values() if reason]
    if not images:
        raise DataError(
            "there are no images under this address",
            where=address,
            mend="\n".join(["check bucket and prefix: aws s3 ls", *summary(others)]),
        )
    places = placed(images, start)
    fetch([(f"{SCHEME}{bucket}/{key}", target / place) for key, place in places.items()], progress)
    return others


def fetch(files: Sequence[tuple[str, Path]], progress: Progress = silent) -> None:
    """Bring objects, by their addresses, into files.

    Raises:
        StoreUnreachable: the store does not answer, or refuses.
    """
    if not files:
        return
    with _store(files[0][0]) as client, ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:

        def one(address: str, file: Path) -> None:
            bucket, key = split(address)
            file.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, key, str(file))

        tasks = [pool.submit(one, address, file) for address, file in files]
        try:
            for done, task in enumerate(tasks, start=1):
                task.result()
                progress("fetching images", done, len(tasks))
        finally:
            for task in tasks:
                task.cancel()


def put(file: Path, address: str) -> None:
    """Bring a file into an object.

    Raises:
        StoreUnreachable: the store does not answer, or refuses.
    """
    name, key = split(address)
    with _store(address) as client:
        client.upload_file(str(file), name, key)


def stamped(address: str) -> list[tuple[str, str]]:
    """The keys under `s3://bucket/prefix`, without the prefix, and what changes with the content.

    Raises:
        StoreUnreachable: the store does not answer, or refuses.
    """
    name, prefix = split(address)
    start = f"{prefix}/" if prefix else ""
    with _store(address) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=start)
        found = [one for page in pages for one in page.get("Contents", ())]
    return [(one["Key"].removeprefix(start), f"{one['Size']}-{one['ETag']}") for one in found]


def round_trip(address: str) -> None:
    """Write an object, read it and delete it.

    Raises:
        AccessRefused: this account may not write there.
        StoreUnreachable: the store does not answer, or what was read is not what was written.
    """
    from botocore.exceptions import ClientError

    bucket, key = split(address)
    content = key.encode()
    with _store(address) as client:
        try:
            client.put_object(Bucket=bucket, Key=key, Body=content)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                raise
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)
            raise AccessRefused(
                "S3 lets this account read, and not write",
                where=address,
                mend="use the keys of an account that may",
            ) from None
        try:
            read = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        finally:
            client.delete_object(Bucket=bucket, Key=key)
    if read != content:
        raise StoreUnreachable(
            "S3 gives back something else than it was given",
            where=address,
            mend="look for what lies between: a proxy, a gateway",
        )


def server_date(address: str) -> str | None:
    """Return the time that S3's answer is dated with, also where it refuses to answer.

    Raises:
        StoreUnreachable: the store does not answer.
    """
    from botocore.exceptions import ClientError

    with _store(address) as client:
        try:
            answer = client.head_bucket(Bucket=split(address)[0])
        except ClientError as error:  # a clock that is wrong is one reason
            answer = error.response
    date: str | None = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return date


def split(address: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`.

    Raises:
        DataError: the address is no such thing.
    """
    try:
        bucket = urlsplit(address, allow_fragments=False).netloc
    except ValueError:  # a bracket that is not closed
        bucket = ""
    key = address.removeprefix(f"{SCHEME}{bucket}").strip("/")
    if not address.startswith(SCHEME) or not bucket:
        raise DataError(
            "not an address in S3", where=address, mend="write it as s3://bucket/prefix"
        )
    return bucket, key


def placed(keys: Iterable[str], start: str) -> dict[str, PurePosixPath]:
    """Where each object goes, by its key: below a folder that stands for the keys' common start.

    Raises:
        DataError: a key cannot be the name of a file, or two would be one file, or a file and a
            folder.
    """
    users: dict[PurePosixPath, str] = {}
    for key in keys:
        path = _relative(key, start)
        if path in users:
            raise _clash(users[path], key)
        users[path] = key
    for path, key in users.items():
        if inside := next((parent for parent in path.parents if parent in users), None):
            raise _clash(users[inside], key)
    return {key: path for path, key in users.items()}


def _clash(one: str, other: str) -> DataError:
    return DataError(
        f"the keys {one!r} and {other!r} cannot both be files",
        mend="rename or remove one of the objects",
    )


def _relative(key: str, start: str) -> PurePosixPath:
    path = PurePosixPath(key.removeprefix(start))
    if path.is_absolute() or ".." in path.parts or "\0" in key:
        raise DataError(
            f"the key {key!r} cannot be the name of a file", mend="rename the object, or copy it"
        )
    return path


@contextmanager
def _store(address: str) -> Iterator[Any]:
    import boto3
    from boto3.exceptions import Boto3Error
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    client = None
    try:
        # A session of its own: boto3 keeps the credentials of its first for the whole process.
        session, config = Session(), Config(connect_timeout=10)
        try:
            if session.get_config_variable("max_attempts") is None:  # AWS_MAX_ATTEMPTS is not set
                config = config.merge(Config(retries={"max_attempts": 5, "mode": "standard"}))
            client = boto3.Session(botocore_session=session).client("s3", config=config)
        except ValueError as error:
            raise ConfigError(
                f"S3 cannot be used as it is configured: {error}",
                where=address,
                mend="write AWS_ENDPOINT_URL with http:// or https:// in front; check AWS_REGION"
                " and AWS_MAX_ATTEMPTS",
            ) from None
        yield client
    except (Boto3Error, BotoCoreError, ClientError) as error:
        mend = "check AWS_ENDPOINT_URL, AWS_REGION, credentials and the name of the bucket"
        url = client.meta.endpoint_url if client else None
        raise unreachable(S3, address, error, mend=mend, url=url) from None
