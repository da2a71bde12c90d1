#include "json_keep.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json ids_of(const std::vector<BackupRecord>& backups) {
  Json ids = Json::array();
  for (const BackupRecord& backup : backups) ids.push_back(backup.id);
  return ids;
}

std::string_view action(bool keep) { return keep ? "keep" : "remove"; }

}  // namespace

std::string_view leftover_name(Leftover::Kind kind) {
  switch (kind) {
    case Leftover::Kind::temporary:
      return "temporary file";
    case Leftover::Kind::upload:
      return "unfinished upload";
    case Leftover::Kind::superseded:
      return "superseded version";
    case Leftover::Kind::hidden:
      return "hidden version";
  }
  return {};
}

std::string cleanup_plan_json(const CleanupPlan& plan) {
  Json copies = Json::array();
  for (const CopyDecision& copy : plan.copies)
    copies.push_back({{"backup", copy.backup},
                      {"storage", copy.storage},
                      {"action", action(copy.keep)},
                      {"reason", describe(copy)},
                      {"age_seconds", copy.age.count()}});
  Json rests = Json::array();
  for (const RestDecision& rest : plan.rests)
    rests.push_back({{"storage", rest.rest.storage},
                     {"stem", rest.rest.stem},
                     {"objects", rest.rest.objects},
                     {"bytes", rest.rest.bytes},
                     {"action", action(rest.fate != RestFate::orphan)},
                     {"reason", describe(rest.fate)}});
  Json leftovers = Json::array();
  for (const LeftoverDecision& leftover : plan.leftovers)
    leftovers.push_back({{"storage", leftover.storage},
                         {"name", leftover.leftover.name},
                         {"kind", leftover_name(leftover.leftover.kind)},
                         {"bytes", leftover.leftover.size},
                         {"action", action(!leftover.remove)}});
  return text_of({{"dry_run", true},
                  {"copies", std::move(copies)},
                  {"rests", std::move(rests)},
                  {"leftovers", std::move(leftovers)},
                  {"unfinished", ids_of(plan.unfinished)},
                  {"gone", ids_of(plan.gone)},
                  {"forgotten", ids_of(plan.forgotten)},
                  {"problems", plan.problems},
                  {"refusal", plan.refusal}});
}

std::string cleanup_json(const CleanupResult& result) {
  Json storages = Json::array();
  for (const StorageStatistics& storage : result.storages)
    storages.push_back({{"storage", storage.storage},
                        {"deleted", storage.deleted},
                        {"failed", storage.failed},
                        {"temporary", storage.temporary},
                        {"bytes", storage.bytes}});
  return text_of({{"storages", std::move(storages)},
                  {"records", result.records},
                  {"scratch", result.scratch},
                  {"errors", result.errors},
                  {"seconds", result.seconds}});
}

std::string sync_plan_json(const SyncPlan& plan) {
  Json copies = Json::array();
  for (const LackingCopy& copy : plan.copies) {
    const auto backup =
        std::find_if(plan.backups.begin(), plan.backups.end(),
                     [&](const BackupRecord& each) { return each.id == copy.backup; });
    copies.push_back(
        {{"backup", copy.backup}, {"storage", copy.storage}, {"size_bytes", backup->size_bytes}});
  }
  return text_of({{"dry_run", true}, {"copies", std::move(copies)}, {"problems", plan.problems}});
}

std::string sync_json(const SyncResult& result) {
  Json copies = Json::array();
  for (const SyncedCopy& copy : result.copies)
    copies.push_back({{"backup", copy.backup.id},
                      {"storage", copy.storage},
                      {"from", copy.from},
                      {"bytes", copy.bytes},
                      {"error", copy.error}});
  return text_of(
      {{"copies", std::move(copies)}, {"left", result.left}, {"problems", result.problems}});
}

}  // namespace bkp
