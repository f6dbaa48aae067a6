"""Bytes kept on disk between runs: compiled code, found by a hash of what it was made from.

Entries are files that appear whole or not at all and carry a checksum, so any number of
processes may read, write and delete at once, and be killed while they do. Whoever can write
an entry decides what code runs: the folder must be its user's alone, or it is not used. A
cache that cannot be read or written is an empty one; nothing here raises for that.

What is slow to import (logging, hashlib) is imported when it is needed.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
import time
from typing import Any

__all__ = ["Cache", "default_cache"]

MAGIC = b"ftlike01"
HEADER = len(MAGIC) + 8 + 16  # and the payload's length and checksum
DAY = 86400.0
STALE = 3600.0  # no write takes an hour: a temporary file as old as that was left behind
ENTRY, TEMPORARY = ".entry", ".tmp"


@functools.cache
def default_cache() -> Cache:
    """The cache of this user."""
    return Cache()


class Cache:
    """A bounded store of bytes under string keys.

    Parameters
    ----------
    folder
        Where the files are; by default ``$FUNCTORCH_LIKE_CACHE_DIR``, or else a folder of the
        user's where the platform keeps caches. It is made when first needed.
    limit_bytes
        Above this many bytes in all, what was not read for longest is deleted.
    """

    def __init__(
        self, folder: str | os.PathLike | None = None, limit_bytes: int = 512 << 20
    ) -> None:
        self.limit_bytes = limit_bytes
        self._wanted = folder

    @functools.cached_property
    def folder(self) -> str | None:
        """The folder, made and checked; None if there is none that can be used."""
        folder = os.fspath(self._wanted) if self._wanted is not None else _platform_folder()
        if folder is None:
            _log("no cache: there is no home directory; set FUNCTORCH_LIKE_CACHE_DIR")
            return None
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            wrong = _unsafe(os.stat(folder))
        except OSError as error:
            _log("no cache: %s", error)
            return None
        if wrong:
            import warnings

            warnings.warn(
                f"functorch_like keeps no compiled code on disk, because {folder} {wrong}, and "
                "could hold code that somebody else wrote. Take the permission away, or set "
                "FUNCTORCH_LIKE_CACHE_DIR to a folder of your own.",
                RuntimeWarning,
                stacklevel=3,
            )
            return None
        return folder

    def get(self, key: str) -> bytes | None:
        """The bytes stored under a key, or None."""
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                data = file.read()
                read_at = os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            _log("not read: %s", error)
            return None
        payload = data[HEADER:]
        if data[:HEADER] != _header(key, payload):
            _log("deleted, for it is torn or foreign: %s", path)
            _delete(path)
            return None
        if time.time() - read_at > DAY:  # the time of modification stands for that of use
            try:
                os.utime(path)
            except OSError as error:
                _log("not marked as used: %s", error)
        return payload

    def put(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        if self.folder is None or HEADER + len(data) > self.limit_bytes:
            return
        path = self._path(key)
        temporary = f"{path}.{os.getpid()}-{os.urandom(6).hex()}{TEMPORARY}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with open(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(_header(key, data))
                file.write(data)
            os.replace(temporary, path)
        except OSError as error:
            _log("not written: %s", error)
            _delete(temporary)
        self._trim()

    def _path(self, key: str) -> str:
        assert self.folder is not None
        return os.path.join(self.folder, _digest(key.encode(), 20).hex() + ENTRY)

    def _trim(self) -> None:
        """Delete the least recently used entries over the limit, and what killed writers left."""
        entries = []
        now = time.time()
        try:
            with os.scandir(self.folder) as files:
                for file in files:
                    try:
                        if file.name.endswith(ENTRY):
                            known = file.stat()
                            entries.append((known.st_mtime, known.st_size, file.path))
                        elif file.name.endswith(TEMPORARY) and now - file.stat().st_mtime > STALE:
                            _delete(file.path)
                    except FileNotFoundError:  # another process deleted it meanwhile
                        continue
        except OSError as error:
            _log("not trimmed: %s", error)
            return
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit_bytes:
                break
            _delete(path)
            total -= size


def _platform_folder() -> str | None:
    chosen = os.environ.get("FUNCTORCH_LIKE_CACHE_DIR")
    if chosen:
        return os.path.abspath(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # the XDG specification: a relative one is to be ignored
            base = os.path.expanduser("~/.cache")
    return os.path.join(base, "functorch_like") if os.path.isabs(base) else None


def _unsafe(known: os.stat_result) -> str | None:
    """Why a folder is not its user's alone, or None."""
    if not stat.S_ISDIR(known.st_mode):
        return "is not a folder"
    if os.name != "posix":  # elsewhere the platform's own folder is the user's alone
        return None
    if known.st_uid != os.geteuid():
        return f"belongs to user {known.st_uid}, not to {os.geteuid()}"
    if known.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"can be written by others (mode {stat.S_IMODE(known.st_mode):o})"
    return None


def _digest(data: bytes, size: int, person: bytes = b"") -> bytes:
    import hashlib

    return hashlib.blake2b(data, digest_size=size, person=person).digest()


def _header(key: str, payload: bytes) -> bytes:
    """What stands before the payload of a file that is whole and was written for this key."""
    checksum = _digest(payload, 16, person=_digest(key.encode(), 16))
    return MAGIC + len(payload).to_bytes(8, "little") + checksum


def _delete(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        _log("not deleted: %s", error)


def _log(message: str, *args: Any) -> None:
    import logging

    logging.getLogger("functorch_like.cache").info(message, *args)
