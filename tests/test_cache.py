"""The disk cache: whole or nothing under concurrent, killed and hostile writers; bounded."""

from __future__ import annotations

import logging
import os
import pathlib
import signal
import stat
import subprocess
import sys
import time
import warnings

import pytest

from functorch_like.kernels import cache as module
from functorch_like.kernels.cache import Cache, default_cache

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")

# Loads the module alone: the package would take longer than the test.
LOAD = f"""
import importlib.util, os, random, signal, sys
spec = importlib.util.spec_from_file_location("cache", {module.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "made" / "when needed"


def entries(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("*.entry"))


def start(code: str, *args: object) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", LOAD + code, *map(str, args)])


def test_what_is_put_is_got(folder: pathlib.Path) -> None:
    cache = Cache(folder)
    assert cache.get("key") is None
    for data in (b"", b"code", bytes(range(256)) * 1000):
        cache.put("key", data)
        cache.put("another \u00e4/..\\ key", b"other")
        assert cache.get("key") == data == Cache(folder).get("key")
    assert cache.get("another \u00e4/..\\ key") == b"other"
    assert len(entries(folder)) == len(list(folder.iterdir())) == 2


@posix
def test_files_are_the_users_alone(folder: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        Cache(folder).put("key", b"code")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entries(folder)[0].stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_others_can_write_is_not_used(folder: pathlib.Path, mode: int) -> None:
    Cache(folder).put("key", b"code")
    folder.chmod(mode)
    cache = Cache(folder)
    with pytest.warns(RuntimeWarning, match=f"can be written by others .mode {mode:o}.*CACHE_DIR"):
        assert cache.get("key") is None
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        cache.put("key", b"other")
        assert cache.get("key") is None
    folder.chmod(0o755)
    assert Cache(folder).get("key") == b"code"


@posix
def test_a_folder_of_somebody_else_is_not_used(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cache(folder).put("key", b"code")
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.warns(RuntimeWarning, match=f"belongs to user {mine}, not to {mine + 1}"):
        assert Cache(folder).get("key") is None


def test_a_file_in_the_folders_place(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        cache = Cache(folder)
        cache.put("key", b"code")
        assert cache.get("key") is None


# --- torn and foreign files --------------------------------------------------------------------


def torn(data: bytes) -> dict[str, bytes]:
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    return {
        "empty": b"",
        "cut in the header": data[:20],
        "header alone": data[:32],
        "cut": data[:-1],
        "longer": data + b"\0",
        "flipped bit": flipped,
        "zeros": b"\0" * len(data),
        "another format": b"ftlike00" + data[8:],
        "text": b"not at all a cache entry",
    }


@pytest.mark.parametrize("kind", torn(b"0" * 100))
def test_torn_files_are_no_entries_and_are_deleted(folder: pathlib.Path, kind: str) -> None:
    cache = Cache(folder)
    cache.put("key", b"code" * 50)
    (path,) = entries(folder)
    path.write_bytes(torn(path.read_bytes())[kind])
    assert cache.get("key") is None
    assert not path.exists()
    cache.put("key", b"code" * 50)
    assert cache.get("key") == b"code" * 50


def test_an_entry_of_another_key_is_foreign(folder: pathlib.Path) -> None:
    cache = Cache(folder)
    cache.put("a", b"code of a")
    (path,) = entries(folder)
    copied = path.read_bytes()
    cache.put("b", b"code of b")
    (other,) = set(entries(folder)) - {path}
    other.write_bytes(copied)
    assert cache.get("b") is None and cache.get("a") == b"code of a"


def test_a_folder_in_an_entrys_place(folder: pathlib.Path) -> None:
    cache = Cache(folder)
    cache.put("key", b"code")
    (path,) = entries(folder)
    path.unlink()
    path.mkdir()
    assert cache.get("key") is None
    cache.put("key", b"code")
    assert cache.get("key") is None


# --- killed, concurrent and failing writers ----------------------------------------------------

DIES = """
cache = module.Cache(sys.argv[1])
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
cache.put("key", b"new" * 1000)
"""
WRITES_FOR_EVER = """
cache = module.Cache(sys.argv[1])
print("ready", flush=True)
while True:
    for key in "abcd":
        cache.put(key, key.encode() * 4_000_000)
"""


@posix
def test_a_writer_killed_before_it_was_done(folder: pathlib.Path) -> None:
    cache = Cache(folder)
    cache.put("key", b"old")
    assert start(DIES, folder).wait() == -signal.SIGKILL
    (left,) = set(folder.iterdir()) - set(entries(folder))
    assert cache.get("key") == b"old"
    cache.put("other", b"")
    assert left.exists()  # it might be somebody's who still writes
    os.utime(left, (0, time.time() - 2 * module.STALE))
    cache.put("other", b"")
    assert not left.exists()


@posix
def test_writers_killed_at_any_time(folder: pathlib.Path) -> None:
    for k in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", LOAD + WRITES_FOR_EVER, str(folder)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        time.sleep(0.005 + 0.007 * k)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        for key in "abcd":
            assert Cache(folder).get(key) in (None, key.encode() * 4_000_000)


HAMMERS = """
cache = module.Cache(sys.argv[1], limit_bytes=60_000)
chance = random.Random(int(sys.argv[2]))

def data(key):
    return random.Random(key).randbytes(1000 * (key + 1))

found = 0
for _ in range(400):
    key = chance.randrange(20)
    if chance.random() < 0.5:
        cache.put(str(key), data(key))
    else:
        got = cache.get(str(key))
        assert got is None or got == data(key)
        found += got is not None
assert found > 10, found
"""


def test_eight_processes_at_once(folder: pathlib.Path) -> None:
    running = [start(HAMMERS, folder, seed) for seed in range(8)]
    assert [p.wait() for p in running] == [0] * 8
    Cache(folder, limit_bytes=60_000).put("last", b"")
    assert sum(path.stat().st_size for path in entries(folder)) <= 60_000
    assert entries(folder) == sorted(folder.iterdir())


def test_a_full_disk(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    cache = Cache(folder)
    cache.put("key", b"code")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    caplog.set_level(logging.INFO, "functorch_like.cache")
    monkeypatch.setattr(os, "replace", full)
    cache.put("other", b"code")
    assert cache.get("other") is None and cache.get("key") == b"code"
    assert entries(folder) == list(folder.iterdir())
    assert "No space left" in caplog.text


def test_a_read_only_disk(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(folder)
    cache.put("key", b"code")
    os.utime(entries(folder)[0], (0, 0))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in ("open", "replace", "unlink", "utime", "makedirs"):
        monkeypatch.setattr(os, name, refuse)
    cache.put("other", b"code")
    assert cache.get("key") == b"code" and cache.get("other") is None
    assert Cache(folder / "new").get("key") is None


# --- the bound ---------------------------------------------------------------------------------


def test_what_was_not_used_for_longest_is_deleted(folder: pathlib.Path) -> None:
    cache = Cache(folder, limit_bytes=3500)
    for k in range(3):
        cache.put(str(k), bytes(1000))
        (new,) = [p for p in entries(folder) if p.stat().st_mtime > 1e9]
        os.utime(new, (1000 + k, 1000 + k))
    assert cache.get("0") is not None  # reading counts as use
    cache.put("3", bytes(1000))
    assert [cache.get(str(k)) is not None for k in range(4)] == [True, False, True, True]
    cache.put("too large", bytes(4000))
    assert cache.get("too large") is None and len(entries(folder)) == 3


def test_reading_marks_an_entry_once_a_day(folder: pathlib.Path) -> None:
    cache = Cache(folder)
    cache.put("key", b"code")
    (path,) = entries(folder)
    for age, marked in ((module.DAY / 2, False), (module.DAY * 2, True)):
        then = time.time() - age
        os.utime(path, (then, then))
        cache.get("key")
        assert (path.stat().st_mtime > then + 1) == marked


# --- where -------------------------------------------------------------------------------------


def chosen(monkeypatch: pytest.MonkeyPatch, platform: str, **variables: str | None) -> str | None:
    monkeypatch.setattr(sys, "platform", platform)
    names = ("FUNCTORCH_LIKE_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    return module._platform_folder()


@posix
def test_the_folder_of_each_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    linux = {"XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}
    assert chosen(monkeypatch, "linux", **linux) == "/xdg/functorch_like"
    linux["XDG_CACHE_HOME"] = "relative"
    assert chosen(monkeypatch, "linux", **linux) == "/home/me/.cache/functorch_like"
    assert chosen(monkeypatch, "darwin", HOME="/u/me") == "/u/me/Library/Caches/functorch_like"
    assert chosen(monkeypatch, "win32", LOCALAPPDATA="/local") == "/local/functorch_like"
    mine = {"FUNCTORCH_LIKE_CACHE_DIR": "here"}
    assert chosen(monkeypatch, "linux", **mine) == os.path.abspath("here")


@posix
def test_no_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def nobody(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert chosen(monkeypatch, "linux") is None
    cache = Cache()
    cache.put("key", b"code")
    assert cache.folder is None and cache.get("key") is None


def test_the_default_cache_is_one(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTORCH_LIKE_CACHE_DIR", str(tmp_path / "own"))
    default_cache.cache_clear()
    try:
        default_cache().put("key", b"code")
        assert default_cache() is default_cache() and default_cache().get("key") == b"code"
        assert entries(tmp_path / "own")
    finally:
        default_cache.cache_clear()


def test_importing_it_imports_little() -> None:
    code = LOAD.replace(", random, signal", "") + "print({'logging', 'hashlib'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
