"""A skip for another reason than a missing GPU or browser is a failure."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

CASES = {
    "module": "import pytest\npytest.importorskip('no_such_package')\ndef test_it(): pass\n",
    "inside": "import pytest\ndef test_it(): pytest.importorskip('no_such_package')\n",
    "marked": "import pytest\n@pytest.mark.skip(reason='one day')\ndef test_it(): pass\n",
    "cuda": "import pytest\n@pytest.mark.cuda\ndef test_it(): pass\n",
    "browser": "import pytest\n@pytest.mark.browser\ndef test_it(): pass\n",
    "expected": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n",
    "good": "def test_it(): pass\n",
}


def test_skips(tmp_path):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n cuda\n browser\n whole\n")
    for name, text in CASES.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    hidden = (
        "import shutil, sys, torch, pytest; torch.cuda.is_available = lambda: False; shutil.which = lambda name: None; "
    )
    hidden += "sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", hidden, "-q", "-rA", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    found = subprocess.run([*command, "."], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "1 failed, 1 passed, 2 skipped, 1 xfailed, 2 errors" in found.stdout
    words = {
        "module": "ERROR",
        "inside": "FAILED",
        "marked": "ERROR",
        "cuda": "SKIPPED",
        "browser": "SKIPPED",
        "good": "PASSED",
    }
    for name, word in words.items():
        assert re.search(rf"^{word} .*test_{name}\.py", found.stdout, re.MULTILINE), name
    assert found.stdout.count("are reasons to skip a test:") >= 3
