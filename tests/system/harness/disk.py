# SPDX-License-Identifier: Apache-2.0
"""A disk that is small or read-only: a tmpfs of its own, for tests that run as root."""
import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def tmpfs(folder, options):
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("needs to be root and to be allowed to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
