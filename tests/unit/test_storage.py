"""The storage's promises, the same for every place a file can lie in."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from app.config import ConfigError, load_settings
from app.storage import READ_BYTES, Storage, iter_range, open_storage
from app.storage.local import LocalStorage
from app.storage.s3 import PART_BYTES, S3Storage
from tests.s3_server import BUCKET


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "local":
        yield LocalStorage(tmp_path)
        return
    storage = S3Storage(BUCKET, "/some/prefix/", request.getfixturevalue("s3_address"))
    yield storage
    storage._client().close()


def put(storage: Storage, key: str, *pieces: bytes) -> None:
    with storage.create(key) as writer:
        for piece in pieces:
            writer.write(piece)
        writer.commit()


def test_what_was_committed_is_read_back_in_ranges(storage: Storage) -> None:
    put(storage, "7/a.csv", b"hello ", b"world")
    assert storage.read("7/a.csv", 0, 11) == b"hello world"
    assert storage.read("7/a.csv", 4, 8) == b"o wo"


def test_local_files_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        storage = LocalStorage(tmp_path / "some" / "where")
        storage.check()
        (tmp_path / "some" / "where" / "6").mkdir(mode=0o755)
        for key in ("6/a.csv", "7/a.csv"):
            with storage.create(key) as writer:
                writer.write(b"x")
                assert [stat.S_IMODE(part.stat().st_mode) for part in tmp_path.rglob("*.part")] == [0o600]
                writer.commit()
    finally:
        os.umask(before)
    for path in (tmp_path / "some").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def fail_in_the_middle(storage: Storage) -> None:
    with storage.create("7/b.csv") as writer:
        writer.write(b"x" * (PART_BYTES + 1))
        raise RuntimeError("trouble")


def test_without_commit_there_is_nothing(storage: Storage) -> None:
    with storage.create("7/a.csv") as writer:
        writer.write(b"x")
    with pytest.raises(RuntimeError, match="trouble"):
        fail_in_the_middle(storage)
    for key in ("7/a.csv", "7/b.csv"):
        with pytest.raises(FileNotFoundError):
            storage.read(key, 0, 1)
    # No unfinished part is left either, however young.
    assert storage.clean(older_than_seconds=-60) == 0


def test_a_large_object_in_pieces(storage: Storage) -> None:
    pieces = [bytes([n]) * (3 << 20) for n in range(7)]
    put(storage, "7/large.csv", *pieces)
    whole = b"".join(pieces)
    assert storage.read("7/large.csv", PART_BYTES - 2, PART_BYTES + 2) == whole[PART_BYTES - 2 : PART_BYTES + 2]
    read = list(iter_range(storage, "7/large.csv", 5, len(whole)))
    assert b"".join(read) == whole[5:]
    assert max(map(len, read)) == READ_BYTES


def test_an_object_that_is_not_there_is_not_found(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read("7/none.csv", 0, 1)


def test_an_object_that_is_too_short_is_an_error_and_not_a_short_answer(storage: Storage) -> None:
    put(storage, "7/a.csv", b"0123456789")
    with pytest.raises(OSError, match=r"7/a\.csv"):
        storage.read("7/a.csv", 5, 15)
    with pytest.raises(OSError, match=r"7/a\.csv"):
        storage.read("7/a.csv", 20, 30)


def test_deleting_twice_is_no_error(storage: Storage) -> None:
    put(storage, "7/a.csv", b"x")
    storage.delete("7/a.csv")
    storage.delete("7/a.csv")
    with pytest.raises(FileNotFoundError):
        storage.read("7/a.csv", 0, 1)


def test_only_old_objects_are_listed(storage: Storage) -> None:
    put(storage, "7/a.csv", b"x")
    put(storage, "8/b.csv", b"x")
    assert sorted(storage.list_keys(older_than_seconds=-60)) == ["7/a.csv", "8/b.csv"]
    assert list(storage.list_keys(older_than_seconds=3600)) == []


def test_a_storage_that_is_there_passes_its_check(storage: Storage) -> None:
    storage.check()


# The local disk -------------------------------------------------------------------------------------------------------


def test_no_key_leads_out_of_the_directory(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "in")
    with pytest.raises(ValueError, match="leads out"), storage.create("../out.csv"):
        pass
    with pytest.raises(ValueError, match="leads out"):
        storage.read("/etc/passwd", 0, 1)


def test_only_old_unfinished_files_are_cleaned(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    put(storage, "7/kept.csv", b"x")
    with storage.create("7/young.csv"):
        (old,) = (part for part in tmp_path.rglob("*.part"))
        os.utime(old, (time.time() - 7200,) * 2)
        with storage.create("7/other.csv"):
            assert storage.clean(older_than_seconds=3600) == 1
            assert not old.exists()
            assert len(list(tmp_path.rglob("*.part"))) == 1
    assert storage.read("7/kept.csv", 0, 1) == b"x"


def test_a_directory_that_cannot_be_made_fails_the_check(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        LocalStorage(tmp_path / "file" / "storage").check()


# S3 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_encryption_asked_for_is_sent(s3_address: str) -> None:
    storage = S3Storage(BUCKET, "", s3_address, "AES256")
    put(storage, "small.csv", b"x")
    put(storage, "large.csv", b"x" * (PART_BYTES + 1), b"y")
    client = boto3.client("s3", endpoint_url=s3_address)
    for key in ("small.csv", "large.csv"):
        assert client.head_object(Bucket=BUCKET, Key=key)["ServerSideEncryption"] == "AES256"
    client.close()
    storage._client().close()


@pytest.mark.slow
def test_uploads_of_dead_processes_are_cleaned(s3_address: str) -> None:
    storage = S3Storage(BUCKET, "prefix", s3_address)
    client = boto3.client("s3", endpoint_url=s3_address)
    client.create_multipart_upload(Bucket=BUCKET, Key="prefix/7/a.csv")
    client.create_multipart_upload(Bucket=BUCKET, Key="elsewhere/a.csv")
    assert storage.clean(older_than_seconds=-60) == 1
    (left,) = client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert left["Key"] == "elsewhere/a.csv"
    client.close()
    storage._client().close()


def test_a_server_that_is_not_there_is_an_error_and_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    storage = S3Storage(BUCKET, "", "http://127.0.0.1:1")
    with pytest.raises(OSError, match="could not be reached"):
        storage.check()
    with pytest.raises(OSError, match="could not be reached"):
        put(storage, "a.csv", b"x")


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "ftp://host/x", "file://host/path", "s3:///prefix", "/just/a/path"])
def test_an_address_that_names_no_storage_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="STORAGE_URL"):
        open_storage(load_settings({"STORAGE_URL": url or "x"}))


def test_addresses_name_storages(tmp_path: Path) -> None:
    local = open_storage(load_settings({"STORAGE_URL": f"file://{tmp_path}/with%20space"}))
    assert isinstance(local, LocalStorage)
    assert local._root == tmp_path / "with space"
    assert isinstance(open_storage(load_settings({"STORAGE_URL": "s3://bucket/a/b"})), S3Storage)
