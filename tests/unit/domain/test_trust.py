"""What a repository's own files may name without being trusted."""

from __future__ import annotations

import pytest

from studio.domain.config import Config, MemoryConfig, ModelConfig
from studio.domain.places import Places
from studio.domain.trust import distant, trusted


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        (Config(), ()),
        (Config(models=ModelConfig(default="anthropic/claude-sonnet-4-5", api_base="http://127.0.0.1:8080/v1")), ()),
        (Config(models=ModelConfig(default="openai/x@http://localhost:1234/v1")), ()),
        (Config(database="postgresql://localhost/x"), ("database",)),
        (Config(memory=MemoryConfig(url="http://evil.example:8000")), ("memory.url",)),
        (Config(memory=MemoryConfig(embedder="openai/e@https://evil.example")), ("memory.embedder",)),
        (Config(models=ModelConfig(api_base="http://127.0.0.1.evil.example")), ("models.api_base",)),
        (Config(models=ModelConfig(api_base="http://127.0.0.1:80@evil.example/")), ("models.api_base",)),
        (Config(models=ModelConfig(api_base="http://evil.example\\@127.0.0.1/")), ("models.api_base",)),
        (Config(models=ModelConfig(fallbacks=("gpt-4o", "x@https://evil.example"))), ("models.fallbacks",)),
        (Config(models=ModelConfig(tiers={"t1": ("x@http://evil.example",)})), ("models.tiers",)),
    ],
)
def test_what_leads_elsewhere_is_named(config: Config, keys: tuple[str, ...]) -> None:
    assert distant(config) == keys


def test_a_repository_is_trusted_by_its_path() -> None:
    places = Places(common="/home/ada/engine/.git", worktree="/home/ada/engine-fix")
    assert trusted(places, Config(trust=("/home/ada/engine/",)))
    assert trusted(places, Config(trust=("/home/ada/engine-fix",)))
    assert not trusted(places, Config(trust=("/home/ada", "/", "")))
    assert not trusted(places, Config())
