#include "json_upkeep.h"

#include <nlohmann/json.hpp>

#include "catalog/record_json.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

// A database may have any bytes as its name; a JSON document may not.
std::string encode(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

std::string removals_json(const std::vector<Removal>& removals) {
  Json all = Json::array();
  for (const Removal& removal : removals) {
    Json each = to_json(removal.backup);
    each["storages"] = removal.storages;
    each["relies_on"] = removal.relies_on;
    each["refusal"] = text_or_null(removal.refusal);
    all.push_back(std::move(each));
  }
  return encode(all);
}

std::string removed_json(const std::vector<RemoveResult>& results) {
  Json all = Json::array();
  for (const RemoveResult& result : results) {
    Json each = to_json(result.backup);
    each["removals"] = Json::array();
    for (const CopyRemoval& copy : result.copies)
      each["removals"].push_back({{"storage", copy.storage},
                                  {"removed", copy.problem.empty()},
                                  {"problem", text_or_null(copy.problem)}});
    all.push_back(std::move(each));
  }
  return encode(all);
}

std::string rebuild_json(const RebuildResult& result) {
  return encode({{"catalog", result.catalog},
                 {"made", result.made},
                 {"damage", text_or_null(result.damage)},
                 {"moved_to", text_or_null(result.moved_to)},
                 {"found", result.found},
                 {"added", result.added},
                 {"gone", result.gone},
                 {"history", result.history},
                 {"lost", result.lost},
                 {"problems", result.problems}});
}

std::string migration_json(int before, int version) {
  return encode({{"before", before}, {"version", version}});
}

std::string status_json(const Status& status) {
  const auto backup_or_null = [](const std::optional<BackupRecord>& backup) {
    return backup ? to_json(*backup) : Json();
  };
  const auto size_or_null = [](const std::optional<std::uint64_t>& size) {
    return size ? Json(*size) : Json();
  };
  Json series = Json::array();
  for (const SeriesStatus& each : status.series)
    series.push_back(
        {{"type", to_text(each.type)},
         {"database", each.database},
         {"tenant", each.tenant},
         {"age_seconds",
          each.last_good
              ? Json(std::chrono::duration<double>(status.now - each.last_good->created_at).count())
              : Json()},
         {"proved_at", each.proved_at ? Json(format_utc(*each.proved_at)) : Json()},
         {"last_good", backup_or_null(each.last_good)},
         {"failed_since", backup_or_null(each.failed_since)}});
  Json storages = Json::array();
  for (const StorageStatus& each : status.storages)
    storages.push_back({{"name", each.name},
                        {"location", text_or_null(each.location)},
                        {"error", text_or_null(each.error)},
                        {"backups", each.backups},
                        {"unknown", each.unknown},
                        {"size_bytes", each.bytes},
                        {"used_bytes", size_or_null(each.used)},
                        {"available_bytes", size_or_null(each.available)},
                        {"capacity_bytes", size_or_null(each.capacity)}});
  Json alerts = Json::array();
  for (const AlertRecord& alert : status.alerts) alerts.push_back(to_json(alert));
  return encode(
      {{"time", format_utc(status.now)},
       {"cluster", status.cluster},
       {"backups", std::move(series)},
       {"storages", std::move(storages)},
       {"alerts", std::move(alerts)},
       {"key", {{"id", status.active_key}, {"created_at", format_utc(status.key_created_at)}}}});
}

}  // namespace bkp
