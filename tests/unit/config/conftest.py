from pathlib import Path

import pytest

from tests.unit.config.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(folder=tmp_path)
