#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests of images and compose, tests/containers, without a build of ours: the images hold one.
# Needs Docker with its compose plugin. `./abacus test containers` does the same, after a build.
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "$0")/../setup.sh"

need "
command python3       python3"
need_python
"$python" -m pytest -c "$root/tests/system/pytest.ini" -rs "$@" "$root/tests/containers"
