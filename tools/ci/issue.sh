#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keeps one issue about the deployed services: opens it when a check failed, closes it when all is
# well again. Needs GitHub's command line (gh) and GH_TOKEN; GITHUB_REPOSITORY says where.
#
#   tools/ci/issue.sh CODE LOG     CODE: how the check ended, 0 is well; LOG: a file, what it said
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../lib.sh"

label=monitor
[ $# -eq 2 ] || usage_error "tools/ci/issue.sh CODE LOG"
code=$1 log=$2
repository=(--repo "${GITHUB_REPOSITORY:?which repository, OWNER/NAME}")
where=${RUN_URL:-a run by hand}

body() {
    case $code in
    1) say "The check of the deployed services found something wrong:" ;;
    *) say "The check of the deployed services could not tell how they are:" ;;
    esac
    printf '\n%s\n\n%s\n\n' "$(tail -n 40 "$log" | sed 's/^/    /')" "$where"
    say "docs/runbooks says what to do about an alert. The issue closes itself when all is well."
}

open=$(gh issue list "${repository[@]}" --label "$label" --state open --json number \
    --jq '.[0].number // empty')
if [ "$code" -eq 0 ] && [ -n "$open" ]; then
    gh issue close "$open" "${repository[@]}" --comment "All is well again: $where"
elif [ "$code" -ne 0 ] && [ -z "$open" ]; then
    gh label create "$label" "${repository[@]}" --force --description "Made by the monitor" \
        >/dev/null
    body | gh issue create "${repository[@]}" --label "$label" --body-file - \
        --title "Abacus, as deployed, needs somebody"
fi
