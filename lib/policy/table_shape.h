// What a table looks like, as far as bringing rows back into it depends on that. Filled from the
// system catalogs by tenant/; here are no connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bkp {

struct ColumnShape {
  std::string name;
  std::string type;  // as format_type has it: "character varying(20)"
  bool not_null = false;
  bool has_default = false;  // or is an identity
  bool identity_always = false;
  std::string generated;  // the expression of a generated column, which is never written
};

// One column or expression of an index, with the operator that makes two values clash.
struct IndexPart {
  std::string expression;  // "email" or "lower(email)": SQL over the table's own columns
  std::string column;      // empty for an expression
  std::string operation;   // "OPERATOR(pg_catalog.=)"
};

// A unique index or an exclusion constraint.
struct UniqueShape {
  std::string name;
  std::vector<IndexPart> parts;
  std::string predicate;  // of a partial one
  bool primary = false;
  bool exclusion = false;
  bool immediate = true;     // not deferrable
  bool nulls_clash = false;  // NULLS NOT DISTINCT
};

struct TriggerShape {
  std::string name;
  enum class Fires { origin, replica, always } fires = Fires::origin;
};

// A table of its own, or the root of partitions, which stands for them all.
struct TableShape {
  std::string schema, name;
  std::uint32_t oid = 0;
  bool partitioned = false;
  std::vector<ColumnShape> columns;    // in their order
  std::vector<UniqueShape> uniques;    // the primary key first, then by name
  std::vector<TriggerShape> triggers;  // enabled ones of users, on INSERT or UPDATE
  bool filtered = false;               // row-level security binds the role that reads
  bool rewritten = false;              // a rule stands in for INSERT or UPDATE

  const ColumnShape* column(std::string_view wanted) const {
    for (const ColumnShape& each : columns)
      if (each.name == wanted) return &each;
    return nullptr;
  }
};

struct ForeignKeyShape {
  std::string name;
  std::size_t child = 0, parent = 0;  // indexes of tables (roots)
  // The relation that it names, which may be one partition of `parent`: "schema.name".
  std::string parent_relation, child_relation;
  std::vector<std::string> columns, parent_columns;
  std::vector<std::string> operations;  // parent's value OPERATOR child's value
};

struct SequenceShape {
  std::string schema, name;
  bool ascending = true;
  bool cycles = false;
  // Columns that take their values from it: table's index, column.
  std::vector<std::pair<std::size_t, std::string>> columns;
};

struct DatabaseShape {
  std::string encoding;
  std::vector<TableShape> tables;
  std::vector<ForeignKeyShape> foreign_keys;
  std::vector<SequenceShape> sequences;
  std::map<std::pair<std::string, std::string>, std::size_t> roots;  // any table or partition

  std::optional<std::size_t> root_of(const std::string& schema, const std::string& name) const {
    const auto found = roots.find({schema, name});
    if (found == roots.end()) return std::nullopt;
    return found->second;
  }
};

}  // namespace bkp
