// A backup as a database of its own, under a scratch name and proved: what a full restore gives its
// name, a swap puts in another's place, a merge reads from.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/context.h"
#include "pg/database_properties.h"
#include "recovery/compare.h"
#include "recovery/scratch_database.h"

namespace bkp {

// Everything that is known before anything is written.
struct BuildPlan {
  BackupRecord backup;
  Manifest manifest;
  DatabaseProperties properties;
  std::filesystem::path tools;
  std::vector<std::string> read_order;
  std::vector<CopyCheck> bad_copies;
  unsigned jobs = 1;
  std::vector<std::string> selection;  // further arguments of pg_restore
};

// Fetches the manifest and finds what would hinder building it on this server. `jobs`: default
// [restore] jobs. Throws Error: usage (too many jobs, a backup that is not whole), failed (roles
// are missing, no room for the spool), integrity (no manifest opens).
BuildPlan plan_build(Context& context, PgConnection& server, const BackupRecord& backup,
                     std::optional<unsigned> jobs);

// Everything is to go into the server's default tablespace.
void leave_out_tablespaces(BuildPlan& plan);

struct BuiltDatabase {
  std::unique_ptr<ScratchDatabase> database;
  std::uint64_t tables = 0;
  std::vector<std::string> warnings;  // copies found bad on the way
};

// The two halves of build_database(), for who wants to know every difference.
BuiltDatabase build_unproved(Context& context, PgConnection& server, const BuildPlan& plan,
                             const std::string& scratch, RestoreRecord& record);
Comparison compare_built(Context& context, const BuildPlan& plan, const std::string& scratch,
                         RestoreRecord& record);

// Restores into the scratch database `scratch` of scratch_name() and compares rows and digests of
// every table with the manifest. Fills rows, bytes and source of `record`. The database's
// properties are applied by the caller, when nobody may object any more (apply_properties).
// `server`: in database postgres; outlives the result. Throws Error: locked, failed, integrity.
BuiltDatabase build_database(Context& context, PgConnection& server, const BuildPlan& plan,
                             const std::string& scratch, RestoreRecord& record);

// Throws Error(integrity) naming what differs; `target` and `outcome` ("the database was dropped")
// are for the message.
void require_equal(const Comparison& comparison, const std::string& target,
                   const std::string& outcome);

}  // namespace bkp
