import subprocess
import sys


def test_cli_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clientcreds_proxy.cli", "--help"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("Usage: clientcreds ")
