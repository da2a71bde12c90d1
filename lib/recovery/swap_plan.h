// What a swap would do, and what hinders it: known before anything is built.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backup/context.h"
#include "pg/connection.h"
#include "recovery/build_database.h"

namespace bkp {

struct SwapPlan {
  BuildPlan build;
  std::string name;          // of the database that is replaced
  std::string old_database;  // the name that it is to have then
  std::uint64_t old_size = 0;
  std::uint64_t sessions = 0;        // connected to it now
  std::vector<std::string> notes;    // what the user may want to know before
  std::vector<std::string> changes;  // of the database's properties: "owner 'a' becomes 'b'"
};

// Throws Error: usage (no such database, one that cannot be swapped), failed (prepared
// transactions, logical slots, subscriptions, missing rights or room, each named with its cure),
// and what plan_build() throws.
SwapPlan plan_swap(Context& context, PgConnection& server, const BackupRecord& backup,
                   const std::string& name, std::optional<unsigned> jobs);

// NAME_before_20261120_103000 (UTC) within 63 bytes, NAME cut at a character where it is too long;
// `again`: 2, 3 … where that name is taken.
std::string name_before(const std::string& name, TimePoint when, unsigned again = 1);

// How `wanted` differs from `old` in what belongs to a database as a whole.
std::vector<std::string> property_changes(const DatabaseProperties& old,
                                          const DatabaseProperties& wanted);

}  // namespace bkp
