"""Races, and a kill -9 in the middle of writes: what was answered is kept."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

SERVE = """
import sys, threading
from pathlib import Path
from downwind.local.storage import StorageServer
server = StorageServer(Path(sys.argv[1]), port=int(sys.argv[2]))
server.start()
print(server.port, flush=True)
threading.Event().wait()
"""


class Process:
    """The server in a process of its own, on one folder."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        command = [sys.executable, "-c", SERVE, str(folder), str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """SIGKILL; a second time does nothing."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    requests.post(f"{process.url}/storage/v1/b", json={"name": "crash"}, timeout=30).raise_for_status()
    yield process
    process.kill()


def test_every_answered_write_survives_a_kill(process: Process, tmp_path: Path) -> None:
    answered: dict[str, str] = {}
    enough = threading.Event()

    def write(worker: int) -> None:
        with requests.Session() as session:
            number = 0
            while True:
                name = f"{worker}/{number}"
                path = f"/upload/storage/v1/b/crash/o?uploadType=media&name={name}&ifGenerationMatch=0"
                try:
                    answer = session.post(process.url + path, data=name.encode() * 500, timeout=30)
                except requests.RequestException:
                    return
                if answer.status_code == 200:
                    answered[name] = answer.json()["generation"]
                if len(answered) > 200:
                    enough.set()
                number += 1

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    process.kill()
    for thread in threads:
        thread.join()
    again = Process(tmp_path, process.port)
    try:
        with requests.Session() as session:
            base = f"{again.url}/storage/v1/b/crash/o"
            for name, generation in answered.items():
                answer = session.get(f"{base}/{name.replace('/', '%2F')}?alt=media", timeout=30)
                assert (answer.status_code, answer.content) == (200, name.encode() * 500)
                assert answer.headers["X-Goog-Generation"] == generation
            path = f"{again.url}/upload/storage/v1/b/crash/o?uploadType=media&name=new"
            later = session.post(path, data=b"", timeout=30).json()["generation"]
            assert int(later) > max(int(generation) for generation in answered.values())
    finally:
        again.kill()


def test_an_upload_under_way_survives_a_kill(process: Process, tmp_path: Path) -> None:
    quantum = 256 * 1024
    start = requests.post(
        f"{process.url}/upload/storage/v1/b/crash/o?uploadType=resumable&name=a", data=json.dumps({}), timeout=30
    )
    where = start.headers["Location"]
    first = {"Content-Range": f"bytes 0-{quantum - 1}/{quantum + 1}"}
    assert requests.put(where, data=b"x" * quantum, headers=first, timeout=30).status_code == 308
    process.kill()
    again = Process(tmp_path, process.port)
    try:
        asked = requests.put(where, headers={"Content-Range": f"bytes */{quantum + 1}"}, timeout=30)
        assert asked.headers["Range"] == f"bytes=0-{quantum - 1}"
        last = {"Content-Range": f"bytes {quantum}-{quantum}/{quantum + 1}"}
        done = requests.put(where, data=b"y", headers=last, timeout=30)
        assert done.json()["size"] == str(quantum + 1)
    finally:
        again.kill()


def test_of_fifty_swaps_of_one_generation_one_wins(bucket: Any) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string("start")
    gate = threading.Barrier(50)

    def swap(number: int) -> bool:
        gate.wait()
        try:
            bucket.blob("a").upload_from_string(str(number), if_generation_match=blob.generation)
        except Exception as error:
            assert "412" in str(error)
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        won = list(pool.map(swap, range(50)))
    assert won.count(True) == 1
    assert bucket.blob("a").download_as_bytes() == str(won.index(True)).encode()


def test_of_fifty_deletes_of_one_generation_one_wins(bucket: Any) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string("start")

    def delete(_: int) -> bool:
        try:
            bucket.blob("a").delete(if_generation_match=blob.generation)
        except Exception as error:
            assert "404" in str(error)
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(delete, range(50))).count(True) == 1
