from pathlib import Path

import pytest

from clientcreds_proxy.config.find import find
from clientcreds_proxy.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    (tmp_path / "checkout" / "config").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_configuration_is_looked_for_in_the_order_of_the_contract(here: Path) -> None:
    """Contract section 8."""
    (here / "checkout" / "config" / "rules.yaml").touch()
    checkout = here / "checkout"

    assert find(None, environ={}, checkout=checkout) == checkout / "config" / "rules.yaml"
    (here / "here" / "clientcreds.yaml").touch()
    assert find(None, environ={"CLIENTCREDS_CONFIG": ""}, checkout=checkout) == Path("clientcreds.yaml")
    assert find("", environ={"CLIENTCREDS_CONFIG": "x.yaml"}, checkout=checkout) == Path("x.yaml")
    assert find("y.yaml", environ={"CLIENTCREDS_CONFIG": "x.yaml"}, checkout=checkout) == Path("y.yaml")


def test_no_configuration_is_one_readable_problem(here: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"^clientcreds\.yaml:1:1: no configuration found; expected it here"
    ):
        find(None, environ={}, checkout=here / "checkout")


def test_checkout_is_the_one_of_this_package(here: Path) -> None:
    rules = Path(__file__).parents[3] / "config" / "rules.yaml"

    if rules.exists():
        assert find(None, environ={}) == rules
    else:
        with pytest.raises(ConfigError):
            find(None, environ={})
