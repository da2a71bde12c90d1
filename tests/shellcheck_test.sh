#!/usr/bin/env bash
# Every shell script passes shellcheck. Exit status 77 (skipped) where there is none.
set -euo pipefail
command -v shellcheck >/dev/null || exit 77
cd "$(dirname "$0")/.."
{
  find tests examples completions -name '*.sh' -o -name '*.bash' 2>/dev/null || true
  grep -rlE '^#!.*\b(ba)?sh\b' .ci tests examples 2>/dev/null || true
} | sort -u | xargs -r -d '\n' shellcheck
