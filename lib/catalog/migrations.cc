#include "catalog/migrations.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"

namespace bkp {

namespace {

// Times are TEXT as format_utc writes them, so that they sort; truth is 0 or 1.
constexpr std::string_view kVersion1[] = {
    R"(CREATE TABLE backups (
  id TEXT NOT NULL PRIMARY KEY,
  cluster TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  database TEXT NOT NULL,
  tenant TEXT NOT NULL,
  filename TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  plain_size_bytes BIGINT NOT NULL,
  checksum TEXT NOT NULL,
  plain_checksum TEXT NOT NULL,
  compression_ratio DOUBLE PRECISION NOT NULL,
  duration_seconds DOUBLE PRECISION NOT NULL,
  created_at TEXT NOT NULL,
  completed_at TEXT,
  verified_at TEXT,
  proved_at TEXT,
  deleted_at TEXT,
  created_by TEXT NOT NULL,
  host TEXT NOT NULL,
  job_id TEXT NOT NULL,
  note TEXT NOT NULL,
  error TEXT NOT NULL,
  held BIGINT NOT NULL,
  metadata TEXT NOT NULL))",
    "CREATE INDEX backups_by_time ON backups (created_at)",
    "CREATE INDEX backups_by_type ON backups (type, database, created_at)",
    "CREATE INDEX backups_by_status ON backups (status, created_at)",
    "CREATE INDEX backups_by_tenant ON backups (tenant, created_at)",
    "CREATE INDEX backups_by_filename ON backups (filename)",
    R"(CREATE TABLE copies (
  backup_id TEXT NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
  storage TEXT NOT NULL,
  path TEXT NOT NULL,
  state TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  etag TEXT NOT NULL,
  checked_at TEXT,
  error TEXT NOT NULL,
  PRIMARY KEY (backup_id, storage)))",
    "CREATE INDEX copies_by_storage ON copies (storage, state)",
    R"(CREATE TABLE restores (
  id TEXT NOT NULL PRIMARY KEY,
  backup_id TEXT NOT NULL,
  mode TEXT NOT NULL,
  source_storage TEXT NOT NULL,
  target TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  host TEXT NOT NULL,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  outcome TEXT NOT NULL,
  error TEXT NOT NULL,
  rows_restored BIGINT NOT NULL,
  bytes_restored BIGINT NOT NULL,
  duration_seconds DOUBLE PRECISION NOT NULL,
  details TEXT NOT NULL))",
    "CREATE INDEX restores_by_time ON restores (started_at)",
    R"(CREATE TABLE alerts (
  id TEXT NOT NULL PRIMARY KEY,
  dedup_key TEXT NOT NULL,
  type TEXT NOT NULL,
  severity TEXT NOT NULL,
  state TEXT NOT NULL,
  message TEXT NOT NULL,
  backup_id TEXT NOT NULL,
  storage TEXT NOT NULL,
  run_id TEXT NOT NULL,
  occurrences BIGINT NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  resolved_at TEXT,
  details TEXT NOT NULL))",
    "CREATE UNIQUE INDEX alerts_unresolved ON alerts (dedup_key) WHERE state <> 'RESOLVED'",
    "CREATE INDEX alerts_by_state ON alerts (state, last_at)",
    R"(CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY,
  command TEXT NOT NULL,
  arguments TEXT NOT NULL,
  host TEXT NOT NULL,
  actor TEXT NOT NULL,
  pid BIGINT NOT NULL,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  exit_code BIGINT,
  message TEXT NOT NULL,
  statistics TEXT NOT NULL))",
    "CREATE INDEX runs_by_time ON runs (started_at)",
};

// One step a version, from 1 on.
constexpr std::span<const std::string_view> kMigrations[] = {kVersion1};

void refuse_newer(SqlDatabase& database, int version) {
  if (version <= kCatalogVersion) return;
  throw Error(ErrorCode::failed,
              fmt::format("catalog {} has version {}, this bkp knows up to {}", database.describe(),
                          version, kCatalogVersion),
              "upgrade bkp on this host to what the others run");
}

}  // namespace

const int kCatalogVersion = static_cast<int>(std::size(kMigrations));

int stored_version(SqlDatabase& database) {
  if (!database.has_table("catalog_version")) return 0;
  const auto rows = database.query("SELECT version FROM catalog_version", {});
  if (rows.empty()) return 0;
  const auto* version = std::get_if<std::int64_t>(&rows.front().front());
  return version ? static_cast<int>(*version) : 0;
}

void migrate(SqlDatabase& database) {
  const int before = stored_version(database);
  refuse_newer(database, before);
  if (before == kCatalogVersion) return;
  database.transaction([&] {
    // Another process may have been here between.
    const int current = stored_version(database);
    refuse_newer(database, current);
    for (int version = current; version < kCatalogVersion; ++version)
      for (const std::string_view statement : kMigrations[version]) database.query(statement, {});
    database.query("CREATE TABLE IF NOT EXISTS catalog_version (version BIGINT NOT NULL)", {});
    database.query("DELETE FROM catalog_version", {});
    database.query("INSERT INTO catalog_version (version) VALUES ($1)",
                   std::array{SqlValue(std::int64_t{kCatalogVersion})});
  });
}

}  // namespace bkp
