#include "pg/object_lookup.h"

#include <fmt/format.h>

#include <map>

#include "base/error.h"
#include "pg/name.h"
#include "pg/pattern.h"

namespace bkp {
namespace {

constexpr const char* kRelation =
    "SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace "
    "WHERE nspname = $1 AND relname = $2";
constexpr const char* kType =
    "SELECT FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = typnamespace "
    "WHERE nspname = $1 AND typname = $2";
constexpr const char* kCollation =
    "SELECT FROM pg_collation JOIN pg_namespace AS n ON n.oid = collnamespace "
    "WHERE nspname = $1 AND collname = $2";
// As pg_dump writes it, with an empty search path: "f(integer, app.mood)".
constexpr const char* kFunction =
    "SELECT FROM pg_proc JOIN pg_namespace AS n ON n.oid = pronamespace WHERE nspname = $1 "
    "AND proname || '(' || coalesce((SELECT string_agg(format_type(a, NULL), ', ' ORDER BY i) "
    "FROM unnest(proargtypes) WITH ORDINALITY AS args(a, i)), "
    "CASE prokind WHEN 'a' THEN '*' ELSE '' END) || ')' = $2";
constexpr const char* kSchema =
    "SELECT FROM pg_namespace WHERE nspname = $2 OR nspname = $1 AND "
    "false";
constexpr const char* kExtension =
    "SELECT FROM pg_extension WHERE extname = $2 OR extname = $1 AND false";

const std::map<std::string_view, const char*> kQueries = {{"TABLE", kRelation},
                                                          {"FOREIGN TABLE", kRelation},
                                                          {"VIEW", kRelation},
                                                          {"SEQUENCE", kRelation},
                                                          {"MATERIALIZED VIEW", kRelation},
                                                          {"INDEX", kRelation},
                                                          {"TYPE", kType},
                                                          {"DOMAIN", kType},
                                                          {"SHELL TYPE", kType},
                                                          {"FUNCTION", kFunction},
                                                          {"PROCEDURE", kFunction},
                                                          {"AGGREGATE", kFunction},
                                                          {"COLLATION", kCollation},
                                                          {"SCHEMA", kSchema},
                                                          {"EXTENSION", kExtension}};

}  // namespace

bool object_exists(PgConnection& connection, const ArchiveEntry& entry) {
  const auto query = kQueries.find(entry.kind);
  return query != kQueries.end() &&
         !connection.query(query->second, {entry.schema, entry.tag}).empty();
}

std::vector<const ArchiveEntry*> matching_entries(PgConnection& connection,
                                                  const std::vector<const ArchiveEntry*>& entries,
                                                  const std::string& pattern) {
  const NamePattern wanted = parse_pattern(pattern);
  std::vector<std::string> schemas, names;
  for (const ArchiveEntry* entry : entries) {
    schemas.push_back(entry->schema);
    names.push_back(entry->tag);
  }
  std::vector<const ArchiveEntry*> found;
  try {
    for (const PgRow& row : connection.query(
             "SELECT i FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS e(s, n, i) "
             "WHERE ($3 = '' OR s OPERATOR(pg_catalog.~) $3) AND n OPERATOR(pg_catalog.~) $4",
             {array_text(schemas), array_text(names), wanted.schema, wanted.name}))
      found.push_back(entries.at(std::stoul(row.at(0).value()) - 1));
  } catch (const Error& error) {
    throw Error(ErrorCode::usage,
                fmt::format("'{}' is no pattern for tables: {}", pattern, error.message()));
  }
  return found;
}

}  // namespace bkp
