import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_readme_transcript_is_what_the_demo_prints() -> None:
    found = re.search(r"^```text\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    promised = [_without_ports(line) for line in found.group(1).splitlines() if line.strip()]

    demo = subprocess.run(
        [sys.executable, "-m", "clientcreds_proxy.demo.transcript"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(README.parent / "addon")},
    )

    printed = iter([_without_ports(line) for line in demo.stdout.splitlines()])
    missing = [line for line in promised if line not in printed]  # `in` an iterator: in this order
    assert missing == []


def _without_ports(line: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", line)
