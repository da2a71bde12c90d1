// Which entries of an archive belong to a part of a database: the chosen objects, what hangs on
// them (data, defaults, constraints, indexes, triggers, policies, comments, privileges, owned
// sequences, partitions), and what they need to exist (schemas, types, functions, extensions).
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "pg/archive_reader.h"

namespace bkp {

enum class PartialContent { all, schema, data };

struct PartialWish {
  std::set<std::int64_t> relations;  // ids of entries that is_relation()
  std::set<std::string> schemas;
  bool everything = false;  // no choice was made: all but large objects
  PartialContent content = PartialContent::all;
};

// A table or view that is neither chosen nor there, and what cannot do without it.
struct MissingRelation {
  std::string name;       // "public.customers"
  std::string needed_by;  // "FK CONSTRAINT public.orders orders_customer_fkey"
  friend bool operator==(const MissingRelation&, const MissingRelation&) = default;
};

struct PartialSelection {
  std::set<std::int64_t> entries;
  std::vector<const ArchiveEntry*> existing;  // chosen objects that the target has already
  std::vector<const ArchiveEntry*> absent;    // tables for rows alone that the target lacks
  std::vector<MissingRelation> missing;
};

// True for what patterns of tables mean: tables, views, materialized views, sequences.
bool is_relation(const ArchiveEntry& entry);

// `exists`: whether the target has the object of an entry. Schemas and what is only needed are left
// out where they exist. Pure; the result points into `entries`.
PartialSelection select_entries(const std::vector<ArchiveEntry>& entries, const PartialWish& wish,
                                const std::function<bool(const ArchiveEntry&)>& exists);

// The list file for pg_restore: ids in the archive's order.
std::string list_file(const std::vector<ArchiveEntry>& entries,
                      const std::set<std::int64_t>& selected);

}  // namespace bkp
