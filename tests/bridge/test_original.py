"""The kernelspec of a kernel that is protected."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from minikernel.bridge import original
from minikernel.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

ARGV = ["kernel", "-f", "{connection_file}"]


def spec(folder: Path, **fields: Any) -> original.Original:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": ARGV, **fields}))
    return original.read(str(folder))


def test_what_it_says(tmp_path: Path) -> None:
    found = spec(tmp_path / "ir", env={"A": "1"}, interrupt_mode="message")
    assert found == (str(tmp_path / "ir"), ARGV, {"A": "1"}, True)
    assert found.name == "ir"
    assert not spec(tmp_path / "ir").is_interrupted_by_message
    assert spec(tmp_path / "ir", env=None).env == {}


def test_placeholders_are_filled(tmp_path: Path) -> None:
    argv = ["{prefix}/k", "{resource_dir}/{connection_file}", "--x={connection_file}", "{other} {}"]
    found = spec(tmp_path, argv=argv)
    command = found.command("F {prefix}", ["--log={connection_file}"])
    assert command[0] == f"{sys.prefix}/k"
    assert command[1] == f"{tmp_path}/F {{prefix}}"
    assert command[2:] == ["--x=F {prefix}", "{other} {}", "--log=F {prefix}"]


@pytest.mark.parametrize("word", ["python", "python3", "python3.11"])
def test_a_bare_python_is_that_of_the_environment(tmp_path: Path, word: str) -> None:
    folder = tmp_path / "share" / "jupyter" / "kernels" / "x"
    found = spec(folder, argv=[word, "{connection_file}", "{prefix}"])
    assert found.command("F") == [sys.executable, "F", sys.prefix]
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch(mode=0o755)
    assert found.command("F") == [str(python), "F", str(tmp_path)]


@pytest.mark.parametrize("word", ["/usr/bin/python3", "pythonw", "python2", "ipython"])
def test_another_program_is_left_as_it_is(tmp_path: Path, word: str) -> None:
    assert spec(tmp_path, argv=[word, "{connection_file}"]).command("F") == [word, "F"]


def test_its_environment_comes_after_ours(tmp_path: Path) -> None:
    found = spec(tmp_path, env={"A": "1", "PATH": "/x:${PATH}", "B": "$NOT_THERE $$"})
    before = {"A": "0", "PATH": "/bin", "C": "$A"}
    after = {"A": "1", "PATH": "/x:/bin", "B": "$NOT_THERE $", "C": "$A"}
    assert found.environment(before) == after
    assert before["A"] == "0"
    assert spec(tmp_path, env={"A": "1"}).environment({"A": "0", "B": "2"}) == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "has no argv"),
        (b'{"argv": []}', "has no argv"),
        (b'{"argv": "x"}', "has no argv"),
        (b'{"argv": ["x", 1]}', "has no argv"),
        (b'{"argv": ["x"]}', "without {connection_file}"),
        (b'{"argv": ["x", "{connection_file}"], "env": []}', None),
        (b'{"argv": ["x", "{connection_file}"], "env": ["a"]}', "has an env"),
        (b'{"argv": ["x", "{connection_file}"], "env": {"A": 1}}', "has an env"),
    ],
)
def test_one_that_starts_no_kernel(tmp_path: Path, content: bytes | None, said: str | None) -> None:
    if content is not None:
        (tmp_path / "kernel.json").write_bytes(content)
    if said is None:
        assert original.read(str(tmp_path)).env == {}
        return
    with pytest.raises(ConfigError) as caught:
        original.read(str(tmp_path))
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
