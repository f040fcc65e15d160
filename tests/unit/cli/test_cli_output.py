"""The command as a process: what becomes of output that nobody takes."""

import os
import subprocess
import sys
from pathlib import Path

ADDON = Path(__file__).parents[3] / "addon"
COMMAND = [sys.executable, "-c", "from clientcreds_proxy.cli.main import main; main()", "schema"]
ENVIRON = os.environ | {"PYTHONPATH": str(ADDON)}


def test_reader_that_goes_away_gets_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(COMMAND, stdout=pipe, stderr=subprocess.PIPE, env=ENVIRON, check=False)

    assert (done.returncode, done.stderr) == (1, b"")


def test_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, env=ENVIRON, check=False)

    assert (done.returncode, done.stderr) == (1, b"clientcreds: No space left on device\n")


def test_streams_that_are_closed_are_no_traceback() -> None:
    main = [sys.executable, "-m", "clientcreds_proxy.cli", "serve", "--config", "nowhere.yaml"]

    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" <&- >&-', "sh", *main], stderr=subprocess.PIPE, env=ENVIRON, check=False
    )

    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert done.stderr.startswith(b"nowhere.yaml:1:1: can't be read")
