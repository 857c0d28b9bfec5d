"""A cluster of four hosts, each in a network namespace of its own, with the data in an object
store: what goes over the network, and a link that is cut for a while.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import COMMAND, PATHS, has_dask, run_in

PYTHON = sys.executable
SCHEDULER, STORE = "tcp://10.77.0.1:8786", "http://10.77.0.1:5000"
SIGNED = "AWS4-HMAC-SHA256 Credential=user/20260101/us-east-1/s3/aws4_request, Signature=0"
PUT = f"""
import sys, urllib.request
for key, name in (("", None), ("rows.parquet", sys.argv[1])):
    data = b"" if name is None else open(name, "rb").read()
    headers = {{"Authorization": "{SIGNED}", "Content-Type": "binary/octet-stream"}}
    request = urllib.request.Request("{STORE}/data/" + key, data, headers, method="PUT")
    urllib.request.urlopen(request, timeout=60).close()
"""
LISTENING = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"
FIT = ["fit", "-k", "4", "--restarts", "1", "--acceleration", "none", "-v"]
LONG = [*FIT, "--tol", "1e-14", "--param-tol", "1e-12", "--max-iter", "150"]


def may_have_namespaces() -> bool:
    """Whether this process may make network namespaces."""
    if shutil.which("ip") is None or sys.platform != "linux":
        return False
    name = f"gmm-{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], check=False)
    return made


pytestmark = [
    pytest.mark.store,
    pytest.mark.skipif(
        importlib.util.find_spec("moto") is None or not has_dask(),
        reason="moto or Dask is not installed; make test-s3 has them",
    ),
    pytest.mark.skipif(
        not may_have_namespaces(), reason="no network namespaces here: they need root and ip"
    ),
]


class Hosts:
    """Hosts 1 to 4 on a switch, which is a namespace too."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[str]]()
        self._name = f"gmm-{os.getpid()}"
        self._ip("netns", "add", self.space(0))
        self._ip("-n", self.space(0), "link", "add", "switch", "type", "bridge")
        self._ip("-n", self.space(0), "link", "set", "switch", "up")
        for host in range(1, 5):
            mine, port = self.space(host), f"port{host}"
            self._ip("netns", "add", mine)
            veth = ["link", "add", "eth0", "netns", mine, "type", "veth", "peer", "name", port]
            self._ip(*veth, "netns", self.space(0))
            self._ip("-n", self.space(0), "link", "set", port, "master", "switch", "up")
            self._ip("-n", mine, "address", "add", f"10.77.0.{host}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                self._ip("-n", mine, "link", "set", device, "up")

    def space(self, host: int) -> str:
        """The name of a host's namespace; the switch is 0."""
        return f"{self._name}-{host}"

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    def start(self, host: int, command: list[str]) -> subprocess.Popen[str]:
        """Start a command on a host."""
        keys = {"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret"}
        place = {"AWS_ENDPOINT_URL": STORE, "PYTHONPATH": PATHS, "AWS_REGION": "us-east-1"}
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.space(host), *command],
            cwd=self.folder,
            env=os.environ | keys | place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def serve(self, host: int, command: list[str], port: int | None = None) -> None:
        """Start a server on a host, and wait until it listens, if that is known."""
        silent = ["sh", "-c", 'exec "$@" > /dev/null 2>&1', "sh", *command]
        self.start(host, silent)
        for _ in range(200):
            if port is None:
                return
            listening = [PYTHON, "-c", LISTENING, "10.77.0.1", str(port)]
            if self.start(host, listening).wait() == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"{command} does not listen")

    def link(self, host: int, state: str) -> None:
        """Set the link of a host up or down."""
        self._ip("-n", self.space(0), "link", "set", f"port{host}", state)

    def bytes_sent(self, host: int) -> int:
        """What a host has sent so far."""
        counter = ["cat", "/sys/class/net/eth0/statistics/tx_bytes"]
        told, _ = self.start(host, counter).communicate()
        return int(told)

    def close(self) -> None:
        """End all processes, and the network."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.communicate()
        for host in range(5):
            subprocess.run(["ip", "netns", "del", self.space(host)], capture_output=True)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """A scheduler and a store on host 1, workers on 2 and 3; 4 is the client's."""
    folder = tmp_path_factory.mktemp("hosts")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400_000, 3)) + 3.0 * rng.integers(0, 3, size=(400_000, 1))
    table = pa.table({f"x{j}": X[:, j] for j in range(3)})
    pq.write_table(table, folder / "rows.parquet", row_group_size=50_000)
    with contextlib.closing(Hosts(folder)) as opened:
        opened.serve(1, [PYTHON, "-m", "moto.server", "-H", "10.77.0.1", "-p", "5000"], 5000)
        put = opened.start(4, [PYTHON, "-c", PUT, str(folder / "rows.parquet")])
        assert put.wait() == 0, put.communicate()
        scheduler = ["scheduler", "--host", "10.77.0.1", "--port", "8786", "--no-dashboard"]
        opened.serve(1, [PYTHON, "-m", "dask", *scheduler], 8786)
        for host in (2, 3):
            address = ["--host", f"10.77.0.{host}", "--nthreads", "1", "--no-nanny"]
            local = ["--local-directory", str(folder / str(host)), "--no-dashboard"]
            opened.serve(host, [PYTHON, "-m", "dask", "worker", SCHEDULER, *address, *local])
        yield opened


def begun(hosts: Hosts, output: str) -> subprocess.Popen[str]:
    """A long fit on the cluster that is on its way over all rows."""
    dask = ["--engine", "dask", "--scheduler", SCHEDULER]
    process = hosts.start(4, [*COMMAND, *LONG, "s3://data/rows.parquet", *dask, "-o", output])
    wait_for(process, "iteration 3:")
    return process


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read what a process says until it says this."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if text in line:
            return
    raise AssertionError("".join(told))


@pytest.fixture(scope="module")
def undisturbed(hosts: Hosts) -> bytes:
    """The model of the long fit by one process."""
    done = run_in(hosts.folder, [*LONG, "rows.parquet", "-o", "local.json"])
    assert done.returncode == 0, done.stderr
    return (hosts.folder / "local.json").read_bytes()


def test_a_link_that_is_cut_for_five_seconds_delays_the_run(
    hosts: Hosts, undisturbed: bytes
) -> None:
    process = begun(hosts, "cut.json")
    hosts.link(3, "down")
    time.sleep(5)
    hosts.link(3, "up")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert (hosts.folder / "cut.json").read_bytes() == undisturbed


def test_rows_are_judged_where_they_are(hosts: Hosts, undisturbed: bytes) -> None:
    assert undisturbed
    dask = ["--engine", "dask", "--scheduler", SCHEDULER, "-o", "parts", "-q"]
    command = [*COMMAND, "predict", "local.json", "s3://data/rows.parquet", *dask]
    process = hosts.start(4, command)
    _, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")
    args = ["predict", "local.json", "rows.parquet", "-o", "whole.parquet", "-q"]
    assert run_in(hosts.folder, args).returncode == 0
    parts, whole = (pq.read_table(hosts.folder / name) for name in ("parts", "whole.parquet"))
    assert parts.equals(whole)


def test_what_an_iteration_sends_is_a_few_kilobytes(hosts: Hosts) -> None:
    process = begun(hosts, "counted.json")
    wait_for(process, "iteration 10:")
    before = [hosts.bytes_sent(host) for host in (1, 2, 3, 4)]
    wait_for(process, "iteration 110:")
    sent = sum(hosts.bytes_sent(host) for host in (1, 2, 3, 4)) - sum(before)
    process.communicate(timeout=240)
    assert process.returncode == 0
    print(f"bytes an iteration: {sent / 100:.0f}")
    assert sent / 100 < 120_000 < 400_000 * 3 * 8
