"""Private files reach no model: not by a tool, a command, an edit's refusal, a test's output or a rename."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.openai_server import Body, Scripted
from tests.fakes.studio_lab import Lab, tools_reply, write_reply

MARK = "zanzibar-ledger"
FILES = {
    "calc.py": "def add(a, b):\n    return a + b\n",
    "vault/notes.txt": f"first line\n{MARK}\nlast line\n",
    "vault/README.md": "public\n",
    "odd:name.key": f"{MARK}\n",
}
BRIEF = "---\nprivate: ['vault/*', '!vault/README.md', '*.key']\naccept: ['! grep -rh ledger .', 'false']\n---\n# {0}\n\nWrite the {0}.\n"
CONFIG = 'sandbox = "bubblewrap"\n[models]\ncache = false\n'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("private"), config=CONFIG, files=FILES) as lab:
        yield lab


def requests_of(lab: Lab, word: str) -> str:
    return "\n".join(str(request.body) for request in lab.asked(f"Write the {word}"))


def test_no_tool_shows_a_private_file(lab: Lab) -> None:
    turns = iter(
        [
            tools_reply(
                ("read", {"path": "vault/notes.txt"}),
                ("outline", {"path": "odd:name.key"}),
                ("search", {"pattern": "ledger"}),
                ("run", {"command": "cat vault/* *.key; ls -R; ls vault | wc -l; rev vault/*.txt"}),
                ("check", {}),
            ),
            tools_reply(("edit", {"path": "vault/notes.txt", "search": "first line\nledger", "replace": "x"})),
            tools_reply(("edit", {"path": "vault/notes.txt", "rename_to": "open.txt"})),
            tools_reply(("read", {"path": "open.txt"}), ("read", {"path": ".studio/config.toml"})),
            write_reply("tools.txt", "done\n"),
        ]
    )

    def builder(_prompt: str, _body: Body) -> Scripted:
        return next(turns, write_reply("tools.txt", "done again\n"))

    lab.on("You are the builder", "Write the tools", reply=builder)
    done = lab.studio("run", lab.brief(BRIEF.format("tools")), *lab.model(), "--depth", "quick", code=None)
    said = requests_of(lab, "tools")
    assert next(turns, None) is None, done.stdout + said
    assert "is private" in said
    assert "README.md" in said
    assert MARK not in said
    assert MARK[::-1] not in said
    run = done.stdout.split()[0]
    tree = lab.tree(run)
    assert tree["vault/notes.txt"] == FILES["vault/notes.txt"]  # hidden, not deleted
    assert "open.txt" not in tree


def test_what_a_check_prints_of_a_private_file_is_not_told(lab: Lab) -> None:
    test = "import pathlib\n\ndef test_it():\n    print(sorted(pathlib.Path('.').rglob('*.txt')))\n    raise AssertionError(pathlib.Path('vault/notes.txt').read_text())\n"
    lab.on("You are the builder", "Write the leak", reply=write_reply("test_leak.py", test))
    lab.studio("run", lab.brief(BRIEF.format("leak")), *lab.model(), "--depth", "quick", code=None)
    said = requests_of(lab, "leak")
    assert "accept" in said  # the failures were told
    assert "private files are left out" in said
    assert MARK not in said
