// Large objects of a backup that a live database lacks, or has otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace bkp {

struct LargeObjectDifference {
  std::vector<std::uint32_t> missing, changed;
  std::uint64_t same = 0, extra = 0;
};

// Both connections: after set_text_session.
LargeObjectDifference diff_large_objects(PgConnection& then, PgConnection& now);

// In the open transaction of `now`: content, owner, privileges and comment of each as in `then`.
// `overwrite`: also the content of changed ones.
void merge_large_objects(PgConnection& then, PgConnection& now,
                         const LargeObjectDifference& difference, bool overwrite);

}  // namespace bkp
