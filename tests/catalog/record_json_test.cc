#include "catalog/record_json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "catalog/catalog_contract.h"

using namespace bkp;
using bkp::test::sample_backup;

namespace {
std::vector<std::string> names(const nlohmann::ordered_json& object) {
  std::vector<std::string> result;
  for (const auto& field : object.items()) result.push_back(field.key());
  return result;
}
}  // namespace

TEST_CASE("a backup's JSON has the fields that --json promises, in their order") {
  const auto json = to_json(sample_backup("0d9c1f2e-0000-4000-8000-000000000001"));
  CHECK(names(json) == std::vector<std::string>{"id",
                                                "cluster",
                                                "type",
                                                "status",
                                                "database",
                                                "tenant",
                                                "filename",
                                                "size_bytes",
                                                "plain_size_bytes",
                                                "checksum",
                                                "plain_checksum",
                                                "compression_ratio",
                                                "duration_seconds",
                                                "created_at",
                                                "completed_at",
                                                "verified_at",
                                                "proved_at",
                                                "deleted_at",
                                                "created_by",
                                                "host",
                                                "job_id",
                                                "note",
                                                "error",
                                                "held",
                                                "metadata",
                                                "copies"});
  CHECK(json["type"] == "FULL_DATABASE");
  CHECK(json["status"] == "COMPLETED");
  CHECK(json["plain_size_bytes"] == 1099511627776);
  CHECK(json["created_at"] == "2026-11-20T02:00:00.000001Z");
  CHECK(json["deleted_at"].is_null());
  CHECK(json["metadata"]["tables"]["public.a"] == 1);
  REQUIRE(json["copies"].size() == 2);
  CHECK(json["copies"][0]["storage"] == "local");
  CHECK(json["copies"][0]["state"] == "GOOD");
  CHECK(json["copies"][1]["checked_at"].is_null());
  for (const char* field : {"storage", "path", "state", "size_bytes", "checked_at"})
    CHECK(json["copies"][0].contains(field));
}

TEST_CASE("text that is no UTF-8, and metadata that is no object, do not stop the printing") {
  BackupRecord backup;
  backup.note = "\xff\xfe";
  backup.metadata = "{\"a\":";
  const std::string text = to_json(backup).dump();
  CHECK_THAT(text, Catch::Contains("\"note\":\"\xef\xbf\xbd\xef\xbf\xbd\""));
  CHECK_THAT(text, Catch::Contains(R"("metadata":{"text":"{\"a\":"})"));
}

TEST_CASE("restores, alerts and runs are told with the names of their fields") {
  CHECK(names(to_json(RestoreRecord{})) ==
        std::vector<std::string>{"id", "backup_id", "mode", "source_storage", "target", "reason",
                                 "actor", "host", "started_at", "finished_at", "outcome", "error",
                                 "rows", "bytes", "duration_seconds", "details"});
  CHECK(names(to_json(AlertRecord{})) ==
        std::vector<std::string>{"id", "dedup_key", "type", "severity", "state", "message",
                                 "backup_id", "storage", "run_id", "count", "first_at", "last_at",
                                 "resolved_at", "details"});
  CHECK(names(to_json(RunRecord{})) ==
        std::vector<std::string>{"id", "command", "arguments", "host", "actor", "pid", "started_at",
                                 "finished_at", "exit_code", "message", "statistics"});
  CHECK(to_json(RunRecord{})["exit_code"].is_null());
}
