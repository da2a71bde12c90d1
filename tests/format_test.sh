#!/usr/bin/env bash
# Every source is as clang-format leaves it. Exit status 77 (skipped) where there is no clang-format.
set -euo pipefail
command -v clang-format >/dev/null || exit 77
cd "$(dirname "$0")/.."
find lib cmd tests \( -name '*.cc' -o -name '*.h' \) -exec clang-format --dry-run -Werror {} +
