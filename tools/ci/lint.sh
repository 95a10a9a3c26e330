#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Judges what deploys, without building or starting any of it: the tests of tests/deploy.
# `./abacus test deploy` does the same, after a build.
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "$0")/../setup.sh"

need "
command python3       python3
command shellcheck    shellcheck
$needs_observe"
need_python
"$python" -m pytest -c "$root/tests/system/pytest.ini" -rs "$@" "$root/tests/deploy"
