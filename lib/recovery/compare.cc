#include "recovery/compare.h"

#include <fmt/format.h>

#include "pg/name.h"
#include "pg/table_check.h"

namespace bkp {
namespace {

std::string difference(const ManifestTable& wanted, const CheckedTable& found) {
  if (found.missing) return "is not there";
  if (wanted.at_least && found.data.rows >= wanted.rows) return {};
  if (found.data.rows != wanted.rows)
    return fmt::format("{} rows instead of {}", found.data.rows, wanted.rows);
  if (!wanted.digest.empty() && found.data.digest.hex() != wanted.digest)
    return fmt::format("its {} rows differ from those that were dumped", wanted.rows);
  return {};
}

}  // namespace

Comparison compare_tables(const std::vector<ManifestTable>& wanted,
                          const std::vector<CheckedTable>& found) {
  Comparison result;
  for (std::size_t i = 0; i < found.size(); ++i) {
    result.rows += found[i].data.rows;
    std::string text = difference(wanted.at(i), found[i]);
    if (!text.empty())
      result.differences.push_back(
          {"table " + qualified_name(wanted[i].schema, wanted[i].name), std::move(text)});
  }
  return result;
}

Comparison compare_database(const std::string& conninfo, const Manifest& manifest, unsigned jobs) {
  std::vector<TableData> tables;
  bool digests = !manifest.large_object_digest.empty();
  for (const ManifestTable& table : manifest.tables) {
    TableData data;
    data.schema = table.schema;
    data.name = table.name;
    data.copy_columns = table.columns;
    tables.push_back(std::move(data));
    digests = digests || !table.digest.empty();
  }
  const Digests wanted = digests ? Digests::yes : Digests::no;
  Comparison result =
      compare_tables(manifest.tables, check_tables(conninfo, std::move(tables), wanted, jobs));
  const LargeObjectData large = check_large_objects(conninfo, wanted);
  if (large.count != manifest.large_objects || large.bytes != manifest.large_object_bytes)
    result.differences.push_back(
        {"large objects",
         fmt::format("{} with {} bytes instead of {} with {} bytes", large.count, large.bytes,
                     manifest.large_objects, manifest.large_object_bytes)});
  else if (!manifest.large_object_digest.empty() &&
           large.digest.hex() != manifest.large_object_digest)
    result.differences.push_back({"large objects", "their content differs from what was dumped"});
  return result;
}

}  // namespace bkp
