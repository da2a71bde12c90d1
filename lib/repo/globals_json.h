// A cluster's globals as the JSON that manifests carry in `details`, under the key "globals".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/globals.h"
#include "repo/manifest.h"

namespace bkp {

// Throws Error(failed) for names that are not UTF-8. The text has password verifiers.
std::string encode_globals(const Globals& globals);
// Throws Error(integrity) for text that encode_globals did not write.
Globals decode_globals(std::string_view json);

// What a manifest says of its cluster's globals; nothing in those of older dumps.
struct ManifestGlobals {
  std::optional<Globals> globals;
  std::string problem;  // why they are not there
};
void put_globals(Manifest& manifest, std::string_view encoded);
void put_globals_problem(Manifest& manifest, const std::string& problem);
ManifestGlobals globals_of(const Manifest& manifest);

}  // namespace bkp
