"""Finding what a command needs of the host: system directories, toolchains outside them, and the studio's own tools.

Only directories of toolchains are ever shown, never a home directory: a version manager's shim leads to the version it
would start, and only that version's directory is taken. The studio's tools (its virtual environment) are presented at
one place, `/opt/studio`, wherever they are installed, so that a command reads the same on every machine.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from studio.domain.value import Value

__all__ = ["LANGUAGES", "TOOLS", "Furnishing", "command_for", "furnish"]

TOOLS = "/opt/studio/bin"
"""Where the studio's own tools are inside every sandbox; first on PATH."""
_HOME = "/opt/studio"
_PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")
_TOOL_NAMES = ("pytest", "coverage", "ruff", "mypy", "bandit")
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

LANGUAGES: dict[str, tuple[str, ...]] = {
    "python": ("python3", "--version"),
    "javascript": ("node", "--version"),
    "typescript": ("tsc", "--version"),
    "go": ("go", "version"),
    "java": ("javac", "-version"),
    "rust": ("rustc", "--version"),
    "ruby": ("ruby", "--version"),
    "php": ("php", "--version"),
}
"""Language to the command whose success shows that its toolchain runs."""

_EXECUTABLES = ("node", "tsc", "deno", "bun", "go", "java", "javac", "mvn", "gradle", "rustc", "cargo", "ruby", "php")
_ETC = (
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "ca-certificates",
    "pki",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "services",
    "protocols",
    "maven",
    "php",
    "perl",
)
_ETC_PATTERNS = ("java-*", "python3*", "ruby*")
_WHOLE = ("/nix/store", "/home/linuxbrew/.linuxbrew", "/gnu/store")
"""Package stores whose programs use libraries of each other; they hold nothing else."""

_ACCOUNTS = (
    ("/etc/passwd", "root:x:0:0:root:/:/bin/sh\nstudio:x:65534:65534:studio:/tmp:/bin/sh\n"),
    ("/etc/group", "root:x:0:\nstudio:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("/etc/hostname", "sandbox\n"),
)


class Furnishing(Value, frozen=True):
    """What a sandbox shows of the host."""

    binds: tuple[tuple[str, str], ...]
    """(host path, path inside), read-only."""
    links: tuple[tuple[str, str], ...]
    """(target, path inside)."""
    texts: tuple[tuple[str, str, int], ...]
    """(path inside, content, mode)."""
    path: tuple[str, ...]
    """PATH inside."""


def command_for(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return `argv` with a tool given by its path in the studio's environment named as it is inside."""
    head = Path(argv[0])
    if head.is_absolute() and head.parent == Path(sys.prefix, "bin"):
        return (f"{TOOLS}/{head.name}", *argv[1:])
    return argv


def furnish(environ: dict[str, str] | None = None) -> Furnishing:
    """Return what this host has; looks at PATH, the system's directories and this interpreter's."""
    environ = dict(os.environ) if environ is None else environ
    binds: list[tuple[str, str]] = [("/usr", "/usr"), ("/proc", "/proc"), ("/dev", "/dev")]
    links: list[tuple[str, str]] = []
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        place = Path("/", name)
        if place.is_symlink():
            links.append((str(place.readlink()), str(place)))
        elif place.is_dir():
            binds.append((str(place), str(place)))
    binds += [(str(path), str(path)) for path in _etc()]
    prefixes = _outermost([*_toolchain_prefixes(environ), Path(sys.base_prefix)])
    binds += [(str(prefix), str(prefix)) for prefix in prefixes]
    more = [str(directory) for directory in _toolchain_bins(environ)]
    path = tuple(dict.fromkeys([TOOLS, *more, *_SYSTEM_PATH]))
    texts = [(name, text, 0o644) for name, text in _ACCOUNTS]
    tools = _environment_tools() if sys.prefix != sys.base_prefix else _base_tools()
    return Furnishing((*binds, *tools.binds), (*links, *tools.links), (*texts, *tools.texts), path)


def _etc() -> Iterator[Path]:
    """Yield what toolchains read below /etc. Keys (`ssl/private`), accounts and the rest stay outside."""
    etc = Path("/etc")
    for name in _ETC:
        if (etc / name).exists():
            yield etc / name
    for pattern in _ETC_PATTERNS:
        yield from sorted(etc.glob(pattern))


def _is_system(path: Path) -> bool:
    """Tell whether `path` is on every stage anyway."""
    return path.is_relative_to("/usr") or any(path.is_relative_to(d) for d in ("/bin", "/sbin", "/lib", "/lib64"))


def _outermost(paths: list[Path]) -> list[Path]:
    """Return the paths that are below no other of them and not the system's, shortest first."""
    kept: list[Path] = []
    for path in sorted({path.resolve() for path in paths}, key=lambda p: len(p.parts)):
        if not _is_system(path) and not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def _toolchain_bins(environ: dict[str, str]) -> list[Path]:
    """Return the directories outside the system's that hold toolchains on PATH, in PATH's order."""
    path = environ.get("PATH", os.defpath)
    found: dict[Path, None] = {}
    for name in _EXECUTABLES:
        at = shutil.which(name, path=path)
        if at is not None:
            program = _behind_shim(Path(at), environ)
            if program is not None and not _is_system(program) and _prefix_of(program) is not None:
                found[program.parent] = None
    return list(found)


def _toolchain_prefixes(environ: dict[str, str]) -> list[Path]:
    prefixes = [_prefix_of(directory / "program") for directory in _toolchain_bins(environ)]
    return [prefix for prefix in prefixes if prefix is not None]


def _prefix_of(program: Path) -> Path | None:
    """Return the directory that holds the whole toolchain of `program`, or None where that cannot be told safely."""
    for whole in _WHOLE:
        if program.is_relative_to(whole):
            return Path(whole)
    prefix = program.parent.parent if program.parent.name in {"bin", "sbin"} else program.parent
    home = Path.home().resolve()
    private = home.is_relative_to(prefix) or prefix in {home / ".local", Path("/opt"), Path("/")}
    return None if private else prefix


def _behind_shim(program: Path, environ: dict[str, str]) -> Path | None:
    """Return the program that a version manager's shim starts, or `program` itself with its links followed."""
    if (program.parent / "rustup").exists():
        return _rustup(program.name, environ)
    if program.parent.name == "shims":
        return _versioned(program)
    return program.resolve()


def _rustup(name: str, environ: dict[str, str]) -> Path | None:
    """Return `name` in rustup's default toolchain."""
    root = Path(environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        chosen = tomllib.loads((root / "settings.toml").read_text(encoding="utf-8")).get("default_toolchain")
        if isinstance(chosen, str):
            program = root / "toolchains" / chosen / "bin" / name
            return program.resolve() if program.exists() else None
    return None


def _versioned(shim: Path) -> Path | None:
    """Return what a shim of the pyenv family (rbenv, nodenv, goenv, phpenv) starts by its global version."""
    root = shim.parent.parent
    with suppress(OSError, UnicodeDecodeError):
        for version in (root / "version").read_text(encoding="utf-8").split():
            program = root / "versions" / version / "bin" / shim.name
            if program.exists():
                return program.resolve()
    return None


def _environment_tools() -> Furnishing:
    """Return the studio's virtual environment as one at `/opt/studio`, with only the tools in its `bin`.

    An environment names its place in its scripts' first lines only: those are written anew.
    """
    bin_dir = Path(sys.prefix, "bin")
    config = Path(sys.prefix, "pyvenv.cfg").read_text(encoding="utf-8")
    binds = [(f"{sys.prefix}/lib", f"{_HOME}/lib")]
    links = [(str((bin_dir / "python").resolve()), f"{TOOLS}/{name}") for name in _PYTHON_NAMES]
    texts = [(f"{_HOME}/pyvenv.cfg", config, 0o644)]
    for name in _TOOL_NAMES:
        body = _script(bin_dir / name)
        if body is not None:
            texts.append((f"{TOOLS}/{name}", f"#!{TOOLS}/python3\n{body}", 0o755))
        elif (bin_dir / name).exists():
            binds.append((str(bin_dir / name), f"{TOOLS}/{name}"))
    return Furnishing(tuple(binds), tuple(links), tuple(texts), ())


def _base_tools() -> Furnishing:
    """Return the tools of an interpreter that is no virtual environment: it is shown at its own place."""
    names = [name for name in (*_PYTHON_NAMES, *_TOOL_NAMES) if Path(sys.prefix, "bin", name).exists()]
    return Furnishing((), tuple((f"{sys.prefix}/bin/{name}", f"{TOOLS}/{name}") for name in names), (), ())


def _script(tool: Path) -> str | None:
    """Return the body of a Python entry script without its first line, which names the environment's place."""
    with suppress(OSError, UnicodeDecodeError):
        with tool.open("rb") as file:
            if file.read(2) != b"#!":
                return None
        first, _, body = tool.read_text(encoding="utf-8").partition("\n")
        if "python" in first or first == "#!/bin/sh":
            return body
    return None
