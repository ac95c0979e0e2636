"""jupyter_kernel_test, with every sample filled in so that none of its tests is skipped."""

from __future__ import annotations

from typing import Any, ClassVar

import jupyter_kernel_test
import pytest

pytestmark = pytest.mark.usefixtures("jupyter")


class TestKernel(jupyter_kernel_test.KernelTests):
    kernel_name = "minikernel"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('hello, stderr', file=sys.stderr)"
    completion_samples: ClassVar[list[dict[str, Any]]] = [
        {"text": "zi", "matches": ["zip"]},
        {"text": "import hashli", "matches": ["hashlib"]},
        {"text": "'x'.isal", "matches": ["isalnum", "isalpha"]},
    ]
    complete_code_samples: ClassVar[list[str]] = [
        "1",
        "print('hello, world')",
        "def f(x):\n  return x*2\n\n\n",
        "await f()",
    ]
    incomplete_code_samples: ClassVar[list[str]] = [
        "print('''hello",
        "def f(x):\n  x*2",
        "for i in range(3):",
        "x = (1,",
    ]
    invalid_code_samples: ClassVar[list[str]] = ["import = 7q", "1 +* 2", "'open"]
    code_page_something = "zip?"
    code_generate_error = "raise RuntimeError('as asked')"
    code_execute_result: ClassVar[list[dict[str, str]]] = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
        {"code": "await __import__('asyncio').sleep(0, 'a value')", "result": "'a value'"},
    ]
    code_display_data: ClassVar[list[dict[str, str]]] = [
        {
            "code": "from IPython.display import HTML, display\ndisplay(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {
            "code": "from IPython.display import Math, display\ndisplay(Math('x'))",
            "mime": "text/latex",
        },
        {
            "code": "import matplotlib.pyplot as plt\nfigure = plt.plot([1, 2, 1])",
            "mime": "image/png",
        },
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output\nclear_output()"


class TestIopubWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "minikernel"
    support_iopub_welcome = True


def test_no_sample_is_missing() -> None:
    """The suite skips what it has no sample for: one that a later version asks for, too."""
    suite = vars(jupyter_kernel_test.KernelTests)
    asked = {n for n, v in suite.items() if n[0] != "_" and v in ("", [], ())}
    assert asked
    assert not [name for name in asked if not getattr(TestKernel, name)]
