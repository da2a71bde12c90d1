#include "json.h"

#include <nlohmann/json.hpp>

#include "catalog/record_json.h"
#include "describe.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

// A database may have any bytes as its name; a JSON document may not.
std::string encode(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json failure_of(const Error& error) {
  return {{"code", static_cast<int>(error.code())},
          {"message", error.message()},
          {"hint", text_or_null(error.hint())}};
}

// Who and what, with no verifier of a password.
Json names_of(const Globals& globals) {
  Json names = {{"passwords", globals.passwords},
                {"roles", Json::array()},
                {"memberships", globals.memberships.size()},
                {"tablespaces", Json::array()}};
  for (const GlobalRole& role : globals.roles) names["roles"].push_back(role.name);
  for (const GlobalTablespace& tablespace : globals.tablespaces)
    names["tablespaces"].push_back(tablespace.name);
  return names;
}

Json metadata_of(const std::string& text) {
  Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_object() ? parsed : Json::object();
}

Json restored(const RestoreResult& result) {
  Json json = to_json(result.record);
  json["tables"] = result.tables;
  json["warnings"] = result.warnings;
  json["left_out"] = text_or_null(result.coverage.left_out);
  json["digests"] = result.coverage.digests;
  return json;
}

Json keys_of(const std::vector<MasterKey>& keys) {
  Json all = Json::array();
  for (const MasterKey& key : keys)
    all.push_back({{"id", key.id.text()},
                   {"state", key_state_name(key.state)},
                   {"created_at", format_utc(key.created_at)}});
  return all;
}

Json rewrap_of(const RewrapResult& result) {
  return {{"backups", result.backups},
          {"changed", result.changed},
          {"written", result.written},
          {"problems", result.problems}};
}

Json left_out_of(const std::vector<LeftOut>& left_out) {
  Json all = Json::array();
  for (const LeftOut& out : left_out)
    all.push_back({{"path", out.path}, {"reason", out.reason}, {"counted", out.counted}});
  return all;
}

}  // namespace

std::string backups_json(const std::vector<BackupRecord>& backups) {
  Json all = Json::array();
  for (const BackupRecord& backup : backups) all.push_back(to_json(backup));
  return encode(all);
}

std::string stored_json(const std::vector<StoredBackup>& results) {
  Json all = Json::array();
  for (const StoredBackup& result : results) {
    Json each = to_json(result.backup);
    each["failure"] = result.error ? failure_of(*result.error) : Json();
    each["warnings"] = result.warnings;
    all.push_back(std::move(each));
  }
  return encode(all);
}

std::string verify_json(const std::vector<VerifyResult>& results) {
  Json all = Json::array();
  for (const VerifyResult& result : results) {
    Json each = to_json(result.backup);
    each["checks"] = Json::array();
    for (const CopyCheck& check : result.copies)
      each["checks"].push_back({{"storage", check.storage},
                                {"state", to_text(check.state)},
                                {"size_bytes", check.size},
                                {"problem", text_or_null(check.problem)}});
    all.push_back(std::move(each));
  }
  return encode(all);
}

std::string proofs_json(const std::vector<ProofReport>& reports) {
  Json all = Json::array();
  for (const ProofReport& report : reports) all.push_back(to_json(report));
  return encode(all);
}

std::string shown_json(const BackupRecord& backup, const std::vector<ManifestTable>& tables,
                       const Globals* globals) {
  Json shown = to_json(backup);
  shown["tables"] = Json::array();
  for (const ManifestTable& table : tables)
    shown["tables"].push_back({{"schema", table.schema},
                               {"name", table.name},
                               {"rows", table.rows},
                               {"bytes", table.bytes},
                               {"digest", text_or_null(table.digest)},
                               {"at_least", table.at_least}});
  shown["globals"] = globals == nullptr ? Json() : names_of(*globals);
  return encode(shown);
}

std::string restore_json(const RestoreResult& result) { return encode(restored(result)); }

std::string swap_json(const SwapResult& result) {
  Json json = restored(result.restored);
  json["old_database"] = text_or_null(result.old_database);
  json["sessions_ended"] = result.sessions_ended;
  return encode(json);
}

std::string partial_json(const PartialResult& result) {
  Json json = restored(result.restored);
  json["objects"] = result.objects;
  json["created"] = result.created;
  json["counted"] = result.counted;
  return encode(json);
}

std::string swap_plan_json(const SwapPlan& plan) {
  return encode({{"dry_run", true},
                 {"mode", "swap"},
                 {"backup_id", plan.build.backup.id},
                 {"target", plan.name},
                 {"bytes", plan.build.manifest.plain_size},
                 {"old_database", plan.old_database},
                 {"old_size_bytes", plan.old_size},
                 {"sessions", plan.sessions},
                 {"notes", plan.notes},
                 {"changes", plan.changes}});
}

std::string merge_json(const MergeResult& result, bool dry_run) {
  const auto problems = [](const std::vector<RowProblem>& found) {
    Json all = Json::array();
    for (const RowProblem& each : found)
      all.push_back({{"constraint", each.constraint}, {"rows", each.rows}});
    return all;
  };
  const MergeReport& report = result.report;
  Json json = dry_run ? Json{{"mode", "merge"},
                             {"backup_id", result.record.backup_id},
                             {"target", result.record.target}}
                      : to_json(result.record);
  json["dry_run"] = dry_run;
  json["applied"] = result.applied;
  Json tables = Json::array();
  for (const MergedTable& table : report.tables)
    tables.push_back({{"schema", table.schema},
                      {"name", table.name},
                      {"missing", table.counts.missing},
                      {"changed", table.counts.changed},
                      {"same", table.counts.same},
                      {"only_there", table.counts.extra},
                      {"to_insert", table.planned.inserted},
                      {"to_overwrite", table.planned.updated},
                      {"inserted", table.written.inserted},
                      {"overwritten", table.written.updated},
                      {"clashes", problems(table.clashes)},
                      {"without_parent", problems(table.orphans)},
                      {"blocked", text_or_null(table.blocked)},
                      {"notes", table.notes}});
  json["tables"] = std::move(tables);
  Json sequences = Json::array();
  for (const SequenceMove& move : report.sequences)
    sequences.push_back({{"name", move.name}, {"to", move.to}});
  json["sequences"] = std::move(sequences);
  json["large_objects"] = {{"missing", report.large_objects.missing.size()},
                           {"changed", report.large_objects.changed.size()},
                           {"same", report.large_objects.same},
                           {"only_there", report.large_objects.extra}};
  json["triggers"] = report.triggers;
  json["left_out"] = report.obstacles();
  json["warnings"] = result.warnings;
  return encode(json);
}

std::string snapshot_json(const SnapshotResult& result) {
  Json json = to_json(result.stored.backup);
  json["failure"] = result.stored.error ? failure_of(*result.stored.error) : Json();
  json["warnings"] = result.stored.warnings;
  json["unchanged"] = result.unchanged;
  json["entries"] = result.configuration.entries.size();
  json["problems"] = result.configuration.problems();
  json["left_out"] = left_out_of(result.configuration.left_out);
  return encode(json);
}

std::string changes_json(const BackupRecord& since, const std::vector<ConfigurationChange>& changes,
                         const std::vector<LeftOut>& left_out) {
  constexpr const char* kKinds[] = {"added", "removed", "changed"};
  Json all = Json::array();
  for (const ConfigurationChange& change : changes)
    all.push_back({{"path", change.path},
                   {"change", kKinds[static_cast<int>(change.kind)]},
                   {"what", change.what}});
  return encode(
      {{"since", since.id}, {"changes", std::move(all)}, {"left_out", left_out_of(left_out)}});
}

std::string shown_configuration_json(const BackupRecord& backup, const Configuration& shown) {
  constexpr const char* kKinds[] = {"file", "directory", "symlink", "hard_link"};
  Json json = to_json(backup);
  json["entries"] = Json::array();
  for (const ConfigurationEntry& entry : shown.entries)
    json["entries"].push_back(
        {{"path", shown_path(entry.tar.path)},
         {"type", kKinds[static_cast<int>(entry.tar.type)]},
         {"mode", entry.tar.mode},
         {"user", entry.tar.user},
         {"group", entry.tar.group},
         {"size_bytes", entry.tar.type == FileType::file ? Json(entry.tar.size) : Json()},
         {"sha256", entry.tar.type == FileType::file ? Json(to_hex(entry.sha256)) : Json()},
         {"link", text_or_null(entry.tar.link)},
         {"sealed", entry.secret.has_value()}});
  json["left_out"] = left_out_of(shown.left_out);
  return encode(json);
}

std::string files_json(const RestoreFilesResult& result) {
  Json json = to_json(result.record);
  json["files"] = result.files;
  json["sealed"] = result.sealed;
  json["owners"] = result.owners;
  json["warnings"] = result.warnings;
  return encode(json);
}

std::string setup_json(const SetupResult& result) {
  Json steps = Json::array();
  for (const SetupStep& step : result.steps)
    steps.push_back({{"what", step.what},
                     {"where", step.where},
                     {"outcome", outcome_name(step.outcome)},
                     {"problem", text_or_null(step.problem)}});
  return encode({{"cluster_uuid", result.cluster.text()}, {"steps", std::move(steps)}});
}

std::string keys_json(const std::vector<MasterKey>& keys) { return encode(keys_of(keys)); }

std::string rotation_json(const KeyRing& keys, const std::vector<std::string>& hosts,
                          const RewrapResult* rewrap) {
  return encode({{"keys", keys_of(keys.keys())},
                 {"hosts", hosts},
                 {"rewrap", rewrap == nullptr ? Json() : rewrap_of(*rewrap)}});
}

std::string rewrap_json(const RewrapResult& result) { return encode(rewrap_of(result)); }

std::string findings_json(const Findings& findings) {
  Json all = Json::array();
  bool ready = true;
  for (const Finding& finding : findings) {
    ready = ready && finding.level != FindingLevel::fail;
    all.push_back({{"level", finding.level == FindingLevel::ok     ? "ok"
                             : finding.level == FindingLevel::warn ? "warn"
                                                                   : "fail"},
                   {"subject", finding.subject},
                   {"message", finding.message},
                   {"cure", text_or_null(finding.cure)}});
  }
  return encode({{"ready", ready}, {"findings", std::move(all)}});
}

std::string error_json(const Error& error) { return encode({{"error", failure_of(error)}}); }

std::vector<std::pair<std::string, std::string>> facts_of(const BackupRecord& backup) {
  std::vector<std::pair<std::string, std::string>> facts;
  const Json metadata = metadata_of(backup.metadata);
  for (const auto& [name, value] : metadata.items()) {
    if (value.is_null() || value == "") continue;
    facts.emplace_back(name, value.is_string()
                                 ? value.get<std::string>()
                                 : value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return facts;
}

}  // namespace bkp
