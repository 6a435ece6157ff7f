"""A repository's configuration may not send code elsewhere, unless the person trusts the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.domain.errors import UsageError
from studio.domain.places import Places
from studio.wiring import load_config

FAR = '[models]\napi_base = "https://models.example.org/v1"\n'


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "quantumlayer-studio").mkdir(parents=True)
    (tmp_path / "repo" / ".studio").mkdir(parents=True)
    return Places(common=str(tmp_path / "repo" / ".git"), worktree=str(tmp_path / "repo"))


def own(places: Places, text: str) -> None:
    path = Path(places.worktree).parent / "config" / "quantumlayer-studio" / "config.toml"
    path.write_text(text)


def test_a_strangers_server_is_refused(places: Places) -> None:
    places.config.write_text(FAR)
    with pytest.raises(UsageError, match=r"models\.api_base") as refused:
        load_config(places)
    assert places.worktree in refused.value.do
    assert "trust" in refused.value.do


def test_a_trusted_repository_names_its_server(places: Places) -> None:
    places.config.write_text(FAR)
    own(places, f"trust = ['{places.worktree}']\n")
    assert load_config(places).models.api_base == "https://models.example.org/v1"


def test_ones_own_server_needs_no_trust(places: Places) -> None:
    own(places, FAR)
    places.config.write_text("workers = 1\n")
    assert load_config(places).models.api_base == "https://models.example.org/v1"


def test_a_repository_cannot_trust_itself(places: Places) -> None:
    places.config.write_text(f"trust = ['{places.worktree}']\n{FAR}")
    with pytest.raises(UsageError, match="yours alone"):
        load_config(places)


def test_a_configuration_that_is_nested_too_deep_is_told(places: Places) -> None:
    places.config.write_text(f"name = {'[' * 100_000}\n")
    with pytest.raises(UsageError, match="cannot be read"):
        load_config(places)


@pytest.mark.parametrize("amount", ["nan", "inf", "-1.0"])
def test_a_budget_that_bounds_nothing_is_refused(places: Places, amount: str) -> None:
    places.config.write_text(f"[budget]\nusd = {amount}\n")
    with pytest.raises(UsageError, match="no amount"):
        load_config(places)
