#!/usr/bin/env bash
# The rules of the house that a compiler does not know: which layer may include which, where each
# outside library may be met, names that say nothing, printing from below.
#   layers_test.sh [TREE]     prints violations, one a line; exit status 1 if there are any
#   layers_test.sh --self     plants one violation of each rule and expects it to be found
set -euo pipefail
self=$(realpath "$0")

complain() { # RULE, then grep's lines on standard input
  local rule=$1 line
  while IFS= read -r line; do printf '%s: %s\n' "$rule" "$line"; done
}

# The order of layers is the order in which lib/CMakeLists.txt lists them; the commands come last.
check_order() {
  local layers
  layers="$(sed -n 's/^foreach(layer \(.*\))$/\1/p' lib/CMakeLists.txt) cmd"
  [ "$layers" != " cmd" ] || { echo "layer order: not found in lib/CMakeLists.txt"; return; }
  { grep -rnE '^#include "' --include='*.cc' --include='*.h' lib || true; } |
    awk -F: -v layers="$layers" '
      BEGIN { n = split(layers, names, " "); for (i = 1; i <= n; ++i) rank[names[i]] = i }
      {
        split($1, path, "/"); here = path[2]
        include = $3; sub(/^#include "/, "", include); sub(/".*/, "", include)
        parts = split(include, target, "/"); there = target[1]
        if (!(here in rank)) print "layer order: " $1 ": layer \x27" here "\x27 is not in the list"
        else if (parts < 2 || !(there in rank))
          print "layer order: " $1 ":" $2 ": \x27" include "\x27 is not LAYER/NAME.h"
        else if (rank[there] > rank[here])
          print "layer order: " $1 ":" $2 ": " here " may not include \x27" include "\x27"
      }'
}

# LIBRARY'S HEADERS (a pattern), PLACES (a pattern of paths that may include them)
check_library() {
  { grep -rnE "^#include [<\"]($1)" --include='*.cc' --include='*.h' lib cmd || true; } |
    { grep -vE "^($2)" || true; } | complain "library out of its place (may be in: $2)"
}

check_libraries() {
  check_library 'CLI/' 'cmd/'
  check_library 'archive(_entry)?\.h' 'lib/stream/tar\.cc'
  check_library 'toml\+\+|toml\.h' 'lib/config/[a-z_]+\.cc|lib/crypto/key_file\.cc'
  check_library 'nlohmann/json\.hpp' '(lib/(config|catalog|repo|backup|recovery|monitor)|cmd)/[a-z_0-9]+\.cc'
  check_library 'nlohmann/json_fwd\.hpp' '(lib/(config|catalog|repo|backup|recovery|monitor)|cmd)/'
  check_library 'pugixml' 'lib/storage/[a-z_0-9]+\.cc'
  check_library 'SQLiteCpp|sqlite3' 'lib/catalog/[a-z_]*sqlite[a-z_]*\.cc'
  check_library 'libpq' 'lib/(pg/[a-z_]+|config/conninfo)\.cc|lib/pg/connection_state\.h'
  check_library 'curl/' 'lib/net/'
  check_library 'openssl/' 'lib/crypto/'
  check_library 'xxhash' 'lib/crypto/'
  check_library 'zlib|zstd|libdeflate' 'lib/stream/codec[a-z_]*\.cc'
}

check_words() {
  find lib cmd tests -regextype posix-extended -iregex \
    '.*/([a-z0-9_]*_)?(util|common|helper|manager|handler)s?(_[a-z0-9_]*)?(\..*)?' |
    complain 'name that says nothing'
  { grep -rnE '(class|struct) [A-Za-z]*(Util|Common|Helper|Manager|Handler)s?\b' lib cmd || true; } |
    complain 'name that says nothing'
  { grep -rnE 'std::(cout|cerr|clog)|fmt::print|\b(printf|puts|fprintf)\(' lib || true; } |
    complain 'printing below the commands'
  { grep -rnE '\b(TODO|FIXME|XXX)\b' lib cmd tests examples --exclude="$(basename "$self")" \
    2>/dev/null || true; } | complain 'unfinished'
  # Decisions are functions of their arguments.
  { grep -rnE '^#include (<(fstream|iostream|unistd\.h|sys/.*|thread|mutex)>|"base/(log|fd|lock|interrupt)\.h")|SystemClock|system_clock::now' \
    lib/policy || true; } | complain 'policy with I/O, clock or log'
}

check() {
  check_order
  check_libraries
  check_words
}

# RULE, FILE, LINE: a tree with this one line must be refused by this rule.
expect_caught() {
  local tree found
  tree=$(mktemp -d)
  mkdir -p "$tree"/{lib/{base,stream,pg,policy,catalog,storage},cmd,tests,examples}
  printf 'foreach(layer base stream pg storage catalog policy)\n' >"$tree/lib/CMakeLists.txt"
  printf '#include "base/fine.h"\n#include <vector>\n' >"$tree/lib/stream/fine.cc"
  mkdir -p "$(dirname "$tree/$2")"
  printf '%s\n' "$3" >"$tree/$2"
  if found=$("$self" "$tree") || [[ $found != *"$1"*"$2"* ]] || [ "$(wc -l <<<"$found")" != 1 ]; then
    printf 'planted in %s: %s\nexpected one complaint "%s", got:\n%s\n' "$2" "$3" "$1" "$found"
    failed=1
  fi
  rm -rf "$tree"
}

check_self() {
  failed=0
  expect_caught 'layer order' lib/base/bad.h '#include "stream/stream.h"'
  expect_caught 'layer order' lib/stream/bad.cc '#include "pg/tools.h"'
  expect_caught 'layer order' lib/stream/bad.cc '#include "bad.h"'
  expect_caught 'layer order' lib/stream/bad.cc '#include "cmd/session.h"'
  expect_caught 'layer order' lib/odd/bad.cc '#include "base/fine.h"'
  expect_caught 'library out of its place' lib/pg/bad.cc '#include <CLI/CLI.hpp>'
  expect_caught 'library out of its place' lib/storage/bad.cc '#include <toml++/toml.h>'
  expect_caught 'library out of its place' lib/catalog/bad.h '#include <nlohmann/json.hpp>'
  expect_caught 'library out of its place' cmd/bad.cc '#include <libpq-fe.h>'
  expect_caught 'library out of its place' lib/pg/bad.cc '#include <SQLiteCpp/SQLiteCpp.h>'
  expect_caught 'library out of its place' lib/catalog/bad.cc '#include <pugixml.hpp>'
  expect_caught 'library out of its place' lib/storage/bad.cc '#include <openssl/evp.h>'
  expect_caught 'name that says nothing' lib/base/string_utils.cc ''
  expect_caught 'name that says nothing' lib/base/bad.h 'class BackupManager {'
  expect_caught 'printing below' lib/base/bad.cc '  std::cout << 1;'
  expect_caught 'unfinished' lib/base/bad.cc '// TODO: later'
  expect_caught 'policy with' lib/policy/bad.cc '#include "base/log.h"'
  expect_caught 'policy with' lib/policy/bad.cc 'const auto now = std::chrono::system_clock::now();'
  return "$failed"
}

if [ "${1:-}" = --self ]; then
  check_self
  exit
fi
cd "${1:-$(dirname "$self")/..}"
violations=$(check)
[ -z "$violations" ] || { printf '%s\n' "$violations"; exit 1; }
