// What of its database a dump has, and how its restores can be proved: from the configuration into
// the manifest's details, and back.
#pragma once

#include <string>

#include "config/config.h"
#include "repo/manifest.h"

namespace bkp {

struct Coverage {
  std::string left_out;  // "schemas tmp*; rows of tables public.log": empty: nothing, or not known
  bool all_objects = true;  // but perhaps not all rows
  bool digests = true;      // rows are compared by digest, not only by number
};

void record_coverage(const Config& config, Manifest& manifest);
Coverage coverage_of(const Manifest& manifest);

}  // namespace bkp
