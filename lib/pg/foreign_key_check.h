// Whether every row finds the row that it refers to: asked of the rows themselves, because a
// constraint that is called valid was only found so once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace bkp {

struct ForeignKeyCheck {
  std::string constraint;  // "public.orders.orders_customer_fkey"
  std::string referenced;  // table
  bool valid = true;       // as the catalog has it
  std::uint64_t orphans = 0;
  std::string problem;  // why it could not be looked into, or empty
};

// Every foreign key of the database (those of partitions by their parents), counted by a join over
// up to `jobs` connections, as the server itself would validate it: its operators, collations,
// MATCH FULL, ONLY. Throws Error only when the server cannot be asked.
std::vector<ForeignKeyCheck> check_foreign_keys(const std::string& conninfo, unsigned jobs);

}  // namespace bkp
