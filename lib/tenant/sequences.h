// Sequences of a live database, moved forward where rows came back or numbers were given out that
// they have yet to reach; never back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "tenant/staged_checks.h"

namespace bkp {

struct SequenceMove {
  std::string name;     // "shop.orders_id_seq"
  std::int64_t to = 0;  // its last value by then
};

// Those that stand before the last value of the same sequence in the backup, or before a value that
// staged rows bring into a column which takes its values from it. Those that cycle have no
// "forward", and a value beyond a sequence's own bounds cannot be reached: left out.
std::vector<SequenceMove> sequences_behind(PgConnection& then, const DatabaseShape& then_shape,
                                           PgConnection& now, const DatabaseShape& now_shape,
                                           const StagedTables& tables);

// In the open transaction: holds nextval() of each off until its end, looks again, and moves it.
void forward_sequences(PgConnection& now, const std::vector<SequenceMove>& moves);

}  // namespace bkp
