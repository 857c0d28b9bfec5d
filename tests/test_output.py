"""Outputs are there whole or not at all: real files, devices, pipes, signals."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from gmmcli.errors import CannotCreateError, InputOutputError
from gmmcli.output import open_output, require_creatable


def write(path: Path | str, data: bytes) -> None:
    with open_output(str(path)) as out:
        out.write(data)


def test_a_new_file_has_the_bytes_and_the_permissions_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "new", b"abc")
    finally:
        os.umask(old)
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["new"]


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "old"
    target.write_bytes(b"old")
    target.chmod(0o604)
    write(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@pytest.mark.contract("predict-output-atomic")
def test_the_old_file_is_whole_until_the_end(tmp_path: Path) -> None:
    target = tmp_path / "old"
    target.write_bytes(b"old")
    with open_output(str(target)) as out:
        out.write(b"x" * 10_000_000)
        out.flush()
        assert target.read_bytes() == b"old"
        (hidden,) = (name for name in os.listdir(tmp_path) if name != "old")
        assert hidden.startswith(".old.")
        assert hidden.endswith(".tmp")
    assert target.stat().st_size == 10_000_000


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "old"
    target.write_bytes(b"old")

    def fail() -> None:
        with open_output(str(target)) as out:
            out.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old"]


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to("folder/file")
    write(link, b"1")
    write(link, b"2")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"2"
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    name = "ü" * 127
    write(tmp_path / name, b"x")
    assert os.listdir(tmp_path) == [name]


def test_a_file_in_the_working_folder_needs_no_slash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("plain", b"x")
    assert os.listdir(tmp_path) == ["plain"]


@pytest.mark.parametrize("path", ["no/such/file", "folder", "folder/", "new/", "", "file/x"])
def test_an_output_that_cannot_be_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(CannotCreateError, match="cannot create: ") as info, open_output(path):
        pass
    assert info.value.code == 73
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_loop_of_links_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CannotCreateError):
        write(tmp_path / "loop", b"x")
    assert os.listdir(tmp_path) == ["loop"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_write_protected_file_or_folder_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o444)
    (tmp_path / "folder").mkdir(0o555)
    for path in (tmp_path / "file", tmp_path / "folder" / "new"):
        with pytest.raises(CannotCreateError):
            write(path, b"x")


def test_a_full_device_is_an_input_output_error() -> None:
    with pytest.raises(InputOutputError, match="/dev/full: cannot write: no space left"):
        write("/dev/full", b"x")
    with pytest.raises(InputOutputError):
        write("/dev/full", b"x" * 10_000_000)


def test_a_device_is_written_through_and_stays() -> None:
    write("/dev/null", b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    write(fifo, b"through")
    reader.join()
    assert got == [b"through"]
    assert os.listdir(tmp_path) == ["fifo"]


def python(code: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    code = "from gmmcli.output import *\n" + code
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=30, **options
    )  # type: ignore[call-overload]


def test_dev_stdout_appends_where_the_shell_appends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    code = (
        "from gmmcli.output import open_output\n"
        "with open_output('/dev/stdout') as out: out.write(b'after\\n')"
    )
    with open(log, "ab") as stdout:
        subprocess.run([sys.executable, "-c", code], stdout=stdout, check=True, timeout=30)
    assert log.read_bytes() == b"before\nafter\n"


def test_standard_output_keeps_the_order_of_text_and_bytes() -> None:
    done = python("print('text')\nwith standard_output() as out: out.write(b'bytes\\n')\nprint(1)")
    assert done.stdout == b"text\nbytes\n1\n"


def test_standard_output_keeps_the_rows_before_an_error() -> None:
    done = python("with standard_output() as out:\n out.write(b'row\\n')\n raise ValueError")
    assert done.returncode == 1
    assert done.stdout == b"row\n"


def test_standard_output_closed_or_full() -> None:
    body = "with standard_output() as out: out.write(b'x')"
    code = f"import sys\nfrom gmmcli.output import *\ntry:\n {body}\nexcept Exception as error:\n "
    code += "sys.stderr.write(f'{type(error).__name__} {error}')"
    for redirection, reason in ((">&-", "it is closed"), (">/dev/full", "no space left on device")):
        shell = f'"$0" -c "$1" {redirection}'
        done = subprocess.run(
            ["sh", "-c", shell, sys.executable, code], capture_output=True, check=True, timeout=30
        )
        expected = f"InputOutputError standard output: cannot write: {reason}"
        assert done.stderr.decode() == expected


def test_standard_output_may_be_non_blocking() -> None:
    read, writer = os.pipe()
    os.set_blocking(writer, False)
    code = (
        "from gmmcli.output import standard_output\n"
        "with standard_output() as out: out.write(b'x' * 1_000_000)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=writer) as process:
        os.close(writer)
        with os.fdopen(read, "rb") as pipe:
            assert len(pipe.read()) == 1_000_000
        assert process.wait(30) == 0


WRITE_FOREVER = """
import signal, sys, time
from gmmcli.output import open_output, require_creatable
def stop(number, frame): raise SystemExit(128 + number)
signal.signal(signal.SIGTERM, stop)
with open_output(sys.argv[1]) as out:
    while True:
        out.write(b"x" * 1000)
        out.flush()
        time.sleep(0.001)
"""


@pytest.mark.contract("must-7-kill", "must-7-term", "must-7-int")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_old_file_whole(tmp_path: Path, number: signal.Signals) -> None:
    target = tmp_path / "old"
    target.write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(target)], stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 20
        while len(os.listdir(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        process.wait(20)
    assert target.read_bytes() == b"old"
    if number != signal.SIGKILL:
        assert os.listdir(tmp_path) == ["old"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")
@pytest.mark.contract("exit-73")
def test_a_file_of_another_in_a_sticky_folder_is_refused_before_the_work() -> None:
    nobody, somebody = 65534, 65533
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        theirs, ours = Path(folder, "theirs"), Path(folder, "ours")
        for path, owner in ((theirs, somebody), (ours, nobody)):
            path.write_bytes(b"old")
            path.chmod(0o666)
            os.chown(path, owner, owner)
        os.seteuid(nobody)
        try:
            for path in (ours, Path(folder, "new")):
                require_creatable(str(path))
                write(path, b"new")
            with pytest.raises(CannotCreateError, match="another user's file"):
                require_creatable(str(theirs))
            with pytest.raises(CannotCreateError, match="another user's file"):
                write(theirs, b"new")
        finally:
            os.seteuid(0)
        assert theirs.read_bytes() == b"old"
        assert sorted(os.listdir(folder)) == ["new", "ours", "theirs"]
        require_creatable(str(theirs))
