#include "catalog/history.h"

#include <fmt/format.h>

#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "catalog/record_json.h"

namespace bkp {

namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json, const char* key) { return json.at(key).get<std::string>(); }
TimePoint time(const Json& json, const char* key) { return parse_rfc3339(text(json, key)); }
std::optional<TimePoint> optional_time(const Json& json, const char* key) {
  if (json.at(key).is_null()) return std::nullopt;
  return time(json, key);
}

RunRecord to_run(const Json& json) {
  RunRecord run;
  run.id = text(json, "id");
  run.command = text(json, "command");
  run.arguments = text(json, "arguments");
  run.host = text(json, "host");
  run.actor = text(json, "actor");
  run.pid = json.at("pid").get<std::int64_t>();
  run.started_at = time(json, "started_at");
  run.finished_at = optional_time(json, "finished_at");
  if (!json.at("exit_code").is_null()) run.exit_code = json.at("exit_code").get<int>();
  run.message = text(json, "message");
  run.statistics = json.at("statistics").dump();
  return run;
}

RestoreRecord to_restore(const Json& json) {
  RestoreRecord restore;
  restore.id = text(json, "id");
  restore.backup_id = text(json, "backup_id");
  restore.mode = text(json, "mode");
  restore.source_storage = text(json, "source_storage");
  restore.target = text(json, "target");
  restore.reason = text(json, "reason");
  restore.actor = text(json, "actor");
  restore.host = text(json, "host");
  restore.started_at = time(json, "started_at");
  restore.finished_at = optional_time(json, "finished_at");
  restore.outcome = text(json, "outcome");
  restore.error = text(json, "error");
  restore.rows = json.at("rows").get<std::uint64_t>();
  restore.bytes = json.at("bytes").get<std::uint64_t>();
  restore.duration_seconds = json.at("duration_seconds").get<double>();
  restore.details = json.at("details").dump();
  return restore;
}

AlertRecord to_alert(const Json& json) {
  AlertRecord alert;
  alert.id = text(json, "id");
  alert.dedup_key = text(json, "dedup_key");
  alert.type = text(json, "type");
  alert.severity = parse_alert_severity(text(json, "severity"));
  alert.state = parse_alert_state(text(json, "state"));
  alert.message = text(json, "message");
  alert.backup_id = text(json, "backup_id");
  alert.storage = text(json, "storage");
  alert.run_id = text(json, "run_id");
  alert.count = json.at("count").get<std::uint64_t>();
  alert.first_at = time(json, "first_at");
  alert.last_at = time(json, "last_at");
  alert.resolved_at = optional_time(json, "resolved_at");
  alert.details = json.at("details").dump();
  return alert;
}

void take_line(const Json& line, History& history) {
  const std::string kind = line.is_object() && line.size() == 1 ? line.begin().key() : "";
  if (kind == "run")
    history.runs.push_back(to_run(line.front()));
  else if (kind == "restore")
    history.restores.push_back(to_restore(line.front()));
  else if (kind == "alert")
    history.alerts.push_back(to_alert(line.front()));
  else if (kind != "end")  // whose counts the comparison with the whole text checks
    throw Error(ErrorCode::integrity, "a line of a kind that is not known");
}

History parse(std::string_view text_of_all) {
  History history;
  std::size_t number = 0;
  while (!text_of_all.empty()) {
    const std::size_t end = text_of_all.find('\n');
    if (end == std::string_view::npos) throw Error(ErrorCode::integrity, "it ends in a line");
    const Json line = Json::parse(text_of_all.substr(0, end));
    text_of_all.remove_prefix(end + 1);
    if (++number > 1) {
      take_line(line, history);
      continue;
    }
    if (line.at("bkp_history").get<int>() != 1)
      throw Error(ErrorCode::integrity, "its version is not known");
    history.cluster = text(line, "cluster");
    history.host = text(line, "host");
    history.taken_at = time(line, "taken_at");
  }
  return history;
}

template <typename Record>
std::map<std::string, Record> by_id(std::vector<Record> records) {
  std::map<std::string, Record> found;
  for (Record& record : records) found.emplace(record.id, std::move(record));
  return found;
}

constexpr std::size_t kAll = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::string encode_history(const History& history) {
  std::string lines = Json{{"bkp_history", 1},
                           {"cluster", history.cluster},
                           {"host", history.host},
                           {"taken_at", format_utc(history.taken_at)}}
                          .dump() +
                      "\n";
  const auto add = [&lines](const char* kind, Json record) {
    lines += Json{{kind, std::move(record)}}.dump() + "\n";
  };
  for (const RunRecord& run : history.runs) add("run", to_json(run));
  for (const RestoreRecord& restore : history.restores) add("restore", to_json(restore));
  for (const AlertRecord& alert : history.alerts) add("alert", to_json(alert));
  add("end", {{"runs", history.runs.size()},
              {"restores", history.restores.size()},
              {"alerts", history.alerts.size()}});
  return lines;
}

History decode_history(std::string_view text_of_all) {
  const auto damaged = [](std::string_view why) {
    return Error(ErrorCode::integrity, fmt::format("the history is damaged: {}", why));
  };
  try {
    History history = parse(text_of_all);
    // Order of lines and fields, spelling of numbers and escapes, counts: all of it has one form.
    if (encode_history(history) != text_of_all) throw damaged("it is not as bkp writes it");
    return history;
  } catch (const nlohmann::json::exception& error) {
    throw damaged("a line is no record");
  } catch (const Error& error) {
    if (error.message().starts_with("the history")) throw;
    throw damaged(error.message());
  }
}

History collect_history(const Catalog& catalog, TimePoint now) {
  History history;
  history.taken_at = now;
  const TimePoint since = now - kHistoryAge;
  for (RunRecord& run : catalog.runs(kHistoryRecords))
    if (run.started_at >= since) history.runs.push_back(std::move(run));
  for (RestoreRecord& restore : catalog.restores(kHistoryRecords))
    if (restore.started_at >= since) history.restores.push_back(std::move(restore));
  for (AlertRecord& alert : catalog.alerts({})) {
    const bool recent = alert.last_at >= since && history.alerts.size() < kHistoryRecords;
    if (recent || alert.state != AlertState::resolved) history.alerts.push_back(std::move(alert));
  }
  return history;
}

std::size_t merge_history(Catalog& catalog, const History& history) {
  std::size_t taken = 0;
  catalog.transaction([&] {
    taken = 0;
    const auto runs = by_id(catalog.runs(kAll));
    for (const RunRecord& run : history.runs) {
      const auto known = runs.find(run.id);
      if (known != runs.end() && (known->second.finished_at || !run.finished_at)) continue;
      catalog.put_run(run);
      ++taken;
    }
    const auto restores = by_id(catalog.restores(kAll));
    for (const RestoreRecord& restore : history.restores) {
      const auto known = restores.find(restore.id);
      if (known != restores.end() && (known->second.finished_at || !restore.finished_at)) continue;
      catalog.put_restore(restore);
      ++taken;
    }
    const auto alerts = by_id(catalog.alerts({}));
    for (const AlertRecord& alert : history.alerts) {
      const auto known = alerts.find(alert.id);
      if (known != alerts.end() &&
          (known->second.last_at >= alert.last_at || known->second.state == AlertState::resolved))
        continue;
      if (catalog.put_alert(alert)) ++taken;
    }
  });
  return taken;
}

}  // namespace bkp
