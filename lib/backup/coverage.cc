#include "backup/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<const char*, const char*>, 3> kWords = {
    {{"schemas", "schemas"}, {"tables", "tables"}, {"table_data", "rows of tables"}}};

}  // namespace

void record_coverage(const Config& config, Manifest& manifest) {
  Json excluded = Json::object();
  const auto add = [&](const char* name, const std::vector<std::string>& patterns) {
    if (!patterns.empty()) excluded[name] = patterns;
  };
  add("schemas", config.exclude_schemas);
  add("tables", config.exclude_tables);
  add("table_data", config.exclude_table_data);
  if (excluded.empty()) return;
  Json details = Json::parse(manifest.details);
  details["excluded"] = std::move(excluded);
  manifest.details = details.dump();
}

Coverage coverage_of(const Manifest& manifest) {
  Coverage coverage;
  const Json details = Json::parse(manifest.details, nullptr, false);
  if (details.is_object() && details.contains("excluded"))
    for (const auto& [name, words] : kWords) {
      const Json& patterns = details["excluded"].value(name, Json::array());
      std::string list;
      for (const Json& pattern : patterns)
        list += (list.empty() ? " " : ", ") + pattern.get<std::string>();
      if (!list.empty() && std::string_view(name) != "table_data") coverage.all_objects = false;
      if (!list.empty())
        coverage.left_out += (coverage.left_out.empty() ? "" : "; ") + (words + list);
    }
  coverage.digests = manifest.tables.empty() ||
                     std::any_of(manifest.tables.begin(), manifest.tables.end(),
                                 [](const ManifestTable& table) { return !table.digest.empty(); });
  return coverage;
}

}  // namespace bkp
