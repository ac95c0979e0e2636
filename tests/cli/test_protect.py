"""`minikernel protect`: a kernelspec that starts another's kernel behind a bridge."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager

from tests.bridge.behind import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Any]
    Refused = Callable[..., str]

ORIGINAL = {
    "argv": ["toy-kernel", "-f", "{connection_file}"],
    "display_name": "Toy é",
    "language": "toy",
    "env": {"PYTHONHOME": "/nowhere"},
    "interrupt_mode": "signal",
    "kernel_protocol_version": "5.4",
    "metadata": {"debugger": True, "supported_encryption": ["curve"], "other": [1]},
}


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    """Where kernelspecs of this user are; there is one, toy."""
    folder = tmp_path / "data" / "kernels"
    write(folder / "toy", ORIGINAL)
    (folder / "toy" / "logo-svg.svg").write_text("<svg/>")
    return folder


def write(folder: Path, spec: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(json.dumps(spec))


def read(folder: Path) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((folder / "kernel.json").read_text())
    return spec


def test_what_is_written(call: Command, kernels: Path) -> None:
    done = call("protect", "TOY")
    target = kernels / "toy-protected"
    assert (done.code, done.err) == (0, "")
    assert f'installed "Toy é (protected)" in {target}' in done.out
    assert read(target) == {
        "argv": [
            *("/bin/sh", "-c", 'trap "" INT; exec "$@"', "minikernel"),
            *(sys.executable, "-m", "minikernel", "protect", "--run", str(kernels / "toy")),
            *("-f", "{connection_file}", "--"),
        ],
        "display_name": "Toy é (protected)",
        "language": "toy",
        "env": {
            "PYTHONSAFEPATH": "1"
        },  # PYTHONHOME is the kernel's, and would keep us from starting
        "interrupt_mode": "message",
        "kernel_protocol_version": "5.4",
        "metadata": {
            "debugger": True,
            "other": [1],
            "minikernel": {"protects": "toy", "folder": str(kernels / "toy"), "options": []},
        },
    }
    assert (target / "logo-svg.svg").read_text() == "<svg/>"
    assert sorted(path.name for path in kernels.iterdir()) == ["toy", "toy-protected"]
    assert read(kernels / "toy") == ORIGINAL


def test_a_kernel_that_must_be_private_has_no_debugger(call: Command, kernels: Path) -> None:
    assert call("protect", "toy", "--require-private").code == 0
    spec = read(kernels / "toy-protected")
    assert spec["argv"][-4:] == ["--require-private", "-f", "{connection_file}", "--"]
    assert spec["metadata"]["debugger"] is False


def test_no_editor_puts_its_own_python_there(call: Command, kernels: Path) -> None:
    write(kernels / "mine", {**ORIGINAL, "display_name": "Python 3 (ipykernel)"})
    call("protect", "mine")
    spec = read(kernels / "mine-protected")
    assert spec["display_name"] == "Python 3 (protected)"
    assert not spec["argv"][0].rpartition("/")[2].startswith("python")
    assert "{connection_file}" in spec["argv"]


def test_all_files_are_copied_and_links_lead_to_where_they_led(
    call: Command, kernels: Path, tmp_path: Path
) -> None:
    toy = kernels / "toy"
    (toy / "static" / "deep").mkdir(parents=True)
    (toy / "static" / "deep" / "x.js").write_text("x")
    (tmp_path / "doc").mkdir()
    (toy / "doc").symlink_to("../../../doc")
    (toy / "to nothing").symlink_to("nowhere")
    assert call("protect", "toy", "--prefix", "env").code == 0
    target = tmp_path / "env" / "share" / "jupyter" / "kernels" / "toy-protected"
    assert (target / "static" / "deep" / "x.js").read_text() == "x"
    assert (target / "doc").is_symlink()
    assert (target / "doc").resolve() == tmp_path / "doc"
    assert (target / "to nothing").is_symlink()


def test_one_of_our_making_is_replaced(call: Command, kernels: Path) -> None:
    call("protect", "toy")
    (kernels / "toy-protected" / "old").touch()
    assert call("protect", "toy").code == 0
    files = sorted(path.name for path in (kernels / "toy-protected").iterdir())
    assert files == ["kernel.json", "logo-svg.svg"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({**ORIGINAL, "argv": []}, "has no argv"),
        ({**ORIGINAL, "argv": ["x"]}, "without {connection_file}"),
        ([], "is not a JSON object"),
        (
            {**ORIGINAL, "metadata": {"kernel_provisioner": {"provisioner_name": "far\x1b"}}},
            "'far\\x1b', not by a command",
        ),
    ],
)
def test_a_kernelspec_that_no_bridge_can_start(
    refused: Refused, kernels: Path, spec: object, said: str
) -> None:
    write(kernels / "odd", spec)
    assert said in refused("protect", "odd")
    assert not (kernels / "odd-protected").exists()


@pytest.mark.usefixtures("kernels")
def test_what_is_refused(call: Command, refused: Refused, tmp_path: Path) -> None:
    assert "no kernel named 'toi'; did you mean toy?" in refused("protect", "toi")
    assert "no kernel named 'xyz'; `jupyter kernelspec list`" in refused("protect", "xyz")
    assert "name a kernel" in refused("protect")
    assert "not allowed with argument" in refused("protect", "toy", "--list")
    assert "meant for a kernelspec" in refused("protect", "--run", "x")
    call("protect", "toy")
    assert "'toy-protected' is protected already" in refused("protect", "toy-protected")
    (tmp_path / "file").touch()
    assert "can't write" in refused("protect", "toy", "--prefix", "file")


def test_anothers_kernelspec_is_left_alone(refused: Refused, kernels: Path) -> None:
    write(kernels / "toy-protected", ORIGINAL)
    assert "not of minikernel's making" in refused("protect", "toy")
    said = refused("protect", "--remove", "toy-protected")
    assert "jupyter kernelspec remove toy-protected" in said
    assert "jupyter kernelspec remove toy" in refused("protect", "--remove", "toy")
    assert read(kernels / "toy-protected") == ORIGINAL
    assert read(kernels / "toy") == ORIGINAL


def test_list(call: Command, kernels: Path) -> None:
    assert (
        call("protect", "--list").out == "no kernel is protected; minikernel protect NAME does it\n"
    )
    call("protect", "toy", "--require-private")
    listed = call("protect", "--list").out.splitlines()
    assert listed[0] == f"toy-protected  protects toy in {kernels / 'toy'}, --require-private"
    assert listed[1].strip() == str(kernels / "toy-protected")
    (kernels / "toy" / "kernel.json").unlink()
    assert "(gone: remove this as well)" in call("protect", "--list").out


def test_what_another_has_noted_is_shown_and_ends_nothing(call: Command, kernels: Path) -> None:
    note = {"protects": "\x1b[2J", "folder": "\x1b]0;x\x07", "options": [7]}
    write(kernels / "odd", {**ORIGINAL, "metadata": {"minikernel": note}})
    done = call("protect", "--list")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    for other in ([1], {"protects": "toy"}, {**note, "folder": 7}, {**note, "options": "x"}):
        write(kernels / "odd", {**ORIGINAL, "metadata": {"minikernel": other}})
        assert "odd" not in call("protect", "--list").out


@pytest.mark.parametrize("name", ["toy", "toy-protected", "TOY"])
def test_remove(call: Command, refused: Refused, kernels: Path, name: str) -> None:
    call("protect", "toy")
    done = call("protect", "--remove", name)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"removed {kernels / 'toy-protected'}\n"
    assert [path.name for path in kernels.iterdir()] == ["toy"]
    assert "no protected kernel named 'toy-protected'" in refused(
        "protect", "--remove", "toy-protected"
    )


def test_remove_in_a_place_that_jupyter_does_not_look_at(
    call: Command, refused: Refused, kernels: Path, tmp_path: Path
) -> None:
    call("protect", "toy", "--prefix", "env")
    assert "no protected kernel" in refused("protect", "--remove", "toy-protected")
    assert "toy-protected" in call("protect", "--list", "--prefix", "env").out
    assert call("protect", "--remove", "toy", "--prefix", "env").code == 0
    assert not list((tmp_path / "env" / "share" / "jupyter" / "kernels").iterdir())
    assert read(kernels / "toy") == ORIGINAL


def test_a_link_is_removed_and_not_what_it_leads_to(
    call: Command, kernels: Path, tmp_path: Path
) -> None:
    call("protect", "toy")
    (kernels / "toy-protected").rename(tmp_path / "elsewhere")
    (kernels / "toy-protected").symlink_to(tmp_path / "elsewhere")
    assert call("protect", "--remove", "toy").code == 0
    assert not (kernels / "toy-protected").is_symlink()
    assert (tmp_path / "elsewhere" / "kernel.json").exists()


def test_one_whose_original_has_gone(call: Command, kernels: Path, tmp_path: Path) -> None:
    call("protect", "toy")
    argv = read(kernels / "toy-protected")["argv"]
    (kernels / "toy" / "kernel.json").unlink()
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    path = str(kernels / "toy" / "kernel.json")
    assert done.stderr == f"minikernel: kernelspec {path!r}: No such file or directory\n"
    wait_until(lambda: not _run_with(str(kernels / "toy")))  # the reaper has gone as well


def test_no_early_interrupt_ends_it(
    call: Command, kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / "ready"
    script = f"echo $$ > {ready}.new; mv {ready}.new {ready}; exec sleep 600"
    write(kernels / "toy", {**ORIGINAL, "argv": ["sh", "-c", script, "{connection_file}"]})
    call("protect", "toy")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(kernels.parent))
    spec = KernelSpecManager().get_kernel_spec("toy-protected")
    process = subprocess.Popen(spec.argv, env={**os.environ, **spec.env}, start_new_session=True)
    try:
        # The shell needs a millisecond to learn it; then there is Python, which takes 20 to be up.
        wait_until(lambda: psutil.Process(process.pid).cmdline()[:1] == [sys.executable])
        while not ready.exists():
            os.killpg(process.pid, signal.SIGINT)  # what an impatient user does
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.002)
            assert process.returncode is None
    finally:
        process.kill()
        process.wait(PATIENCE)
    kernel = int(ready.read_text())
    wait_until(lambda: not _exists(kernel))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _run_with(word: str) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if word in (process.info["cmdline"] or ())]
