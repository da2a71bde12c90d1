#include "recovery/restore.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "backup/selection.h"
#include "backup/stored_manifest.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/lock.h"
#include "base/units.h"
#include "pg/connection.h"
#include "pg/conninfo.h"
#include "pg/database_properties.h"
#include "pg/tools.h"
#include "recovery/compare.h"
#include "repo/heartbeat.h"
#include "repo/properties_json.h"
#include "stream/file_stream.h"
#include "stream/process.h"

namespace bkp {
namespace {

constexpr std::size_t kNamedDifferences = 20;
constexpr std::size_t kNamedErrors = 10;
constexpr unsigned kMostJobs = 64;  // each is a connection, for pg_restore and again for the proof

// Everything a restore knows before it writes anything.
struct Plan {
  Manifest manifest;
  DatabaseProperties properties;
  std::filesystem::path tools;
  std::string scratch;  // the name it is built under
  std::vector<std::string> read_order;
  unsigned jobs = 1;
};

// A scratch name that only restores to this target use: what is found under it, while the target's
// lock is held, a killed restore left.
std::string scratch_name(const std::string& target) {
  return "bkp_restore_" + to_hex(sha256(as_bytes(target))).substr(0, 16);
}

// Drops the scratch database unless it was given its name.
class ScratchDatabase {
 public:
  ScratchDatabase(PgConnection& server, const Plan& plan) : server_(server), name_(plan.scratch) {
    create_database(server_, name_, plan.properties);
  }
  ~ScratchDatabase() {
    if (kept_) return;
    const InterruptShield shield;
    try {
      drop_database(server_, name_);
    } catch (const std::exception&) {
      // The server is gone; the next restore to this target drops it.
    }
  }
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  void rename_to(const std::string& name) {
    server_.execute(fmt::format("ALTER DATABASE {} RENAME TO {}", server_.quote_identifier(name_),
                                server_.quote_identifier(name)));
    kept_ = true;
  }

 private:
  PgConnection& server_;
  std::string name_;
  bool kept_ = false;
};

void require_room(const std::filesystem::path& directory, std::uint64_t needed) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (error)
    throw Error(
        ErrorCode::usage,
        fmt::format("cannot use spool directory '{}': {}", directory.string(), error.message()),
        "set spool_dir in [restore] of the configuration");
  if (space.available < needed)
    throw Error(ErrorCode::failed,
                fmt::format("a parallel restore needs {} in '{}', which has {} free",
                            format_size(needed), directory.string(), format_size(space.available)),
                "use --jobs 1, which streams, or set spool_dir in [restore] of the configuration");
}

void require_roles(PgConnection& server, const Plan& plan) {
  const std::vector<std::string> missing =
      missing_roles(server, plan.properties, plan.manifest.owners);
  if (missing.empty()) return;
  std::string cure;
  for (const std::string& role : missing)
    cure +=
        fmt::format("{}CREATE ROLE {};", cure.empty() ? "" : " ", server.quote_identifier(role));
  throw Error(
      ErrorCode::failed,
      fmt::format("the server lacks roles that the backup needs: {}", fmt::join(missing, ", ")),
      "as a superuser: " + cure);
}

void require_membership(PgConnection& server, const Plan& plan) {
  const std::vector<std::string> foreign =
      foreign_roles(server, plan.properties, plan.manifest.owners);
  if (foreign.empty()) return;
  throw Error(ErrorCode::failed,
              fmt::format("role '{}' can give nothing to roles that own parts of the backup: {}",
                          server.query("SELECT current_user").at(0).at(0).value(),
                          fmt::join(foreign, ", ")),
              "name a superuser, or a member of them, in conninfo of [restore] of the "
              "configuration");
}

Plan make_plan(Context& context, const RestoreRequest& request, PgConnection& server,
               std::vector<CopyCheck>& bad) {
  Plan plan;
  plan.jobs = std::max(1U, request.jobs.value_or(context.config.restore_jobs));
  if (plan.jobs > kMostJobs)
    throw Error(ErrorCode::usage, fmt::format("{} jobs are more than the {} that a restore may use",
                                              plan.jobs, kMostJobs));
  plan.scratch = scratch_name(request.into);
  if (request.into.empty() || request.into.size() > 63)
    throw Error(ErrorCode::usage,
                fmt::format("'{}' cannot be a database's name: 1 to 63 bytes", request.into));
  if (database_exists(server, request.into))
    throw Error(ErrorCode::usage, fmt::format("database '{}' exists already", request.into),
                "choose another name for --into: a restore never overwrites a database");
  plan.manifest = fetch_manifest(context, request.backup, bad);
  plan.read_order = read_order(context, bad);
  plan.properties = decode_properties(plan.manifest.properties);
  require_roles(server, plan);
  require_membership(server, plan);
  const int dumped_by = std::atoi(plan.manifest.tool_version.c_str());
  plan.tools = find_tools(std::max(server.major(), dumped_by), context.config.bin_dir);
  if (plan.jobs > 1)
    require_room(context.config.spool_dir, plan.manifest.plain_size + (std::uint64_t{64} << 20));
  return plan;
}

// Judges how pg_restore ended; a SET that the server does not know is no failure.
void require_success(Process& process) {
  const int status = process.wait_status();
  const std::vector<std::string> errors = restore_errors(status, process.error_output());
  if (errors.empty()) return;
  // Its workers tend to fail alike: each reason once, and no more than fit on a screen.
  std::vector<std::string> reasons;
  for (const std::string& error : errors)
    if (reasons.size() < kNamedErrors &&
        std::find(reasons.begin(), reasons.end(), error) == reasons.end())
      reasons.push_back(error);
  throw Error(ErrorCode::failed, fmt::format("pg_restore failed with exit status {}: {}", status,
                                             fmt::join(reasons, "; ")));
}

GetResult run_streamed(Context& context, const Plan& plan, const std::string& conninfo) {
  RestoreArguments arguments;
  arguments.conninfo = conninfo;
  ProcessOptions options = restore_process(plan.tools, arguments);
  options.input = ProcessOptions::Input::pipe;
  options.output = ProcessOptions::Output::discard;
  Process process(std::move(options));
  GetResult result = context.repository.get(plan.manifest, plan.read_order, process.input());
  require_success(process);
  return result;
}

GetResult run_spooled(Context& context, const Plan& plan, const std::string& conninfo) {
  RestoreArguments arguments;
  arguments.conninfo = conninfo;
  arguments.jobs = plan.jobs;
  arguments.archive = "/dev/stdin";
  SpoolFile spool(context.config.spool_dir);
  GetResult result = context.repository.get(plan.manifest, plan.read_order, spool);
  ProcessOptions options = restore_process(plan.tools, arguments);
  options.input = ProcessOptions::Input::file;
  options.input_file = spool.take();
  options.output = ProcessOptions::Output::discard;
  Process process(std::move(options));
  require_success(process);
  return result;
}

void require_equal(const Comparison& comparison, const std::string& into) {
  if (comparison.differences.empty()) return;
  std::string message = fmt::format("what was restored for '{}' is not what was dumped", into);
  for (std::size_t i = 0; i < comparison.differences.size() && i < kNamedDifferences; ++i)
    message += "; " + comparison.differences[i];
  if (comparison.differences.size() > kNamedDifferences)
    message += fmt::format("; and {} more", comparison.differences.size() - kNamedDifferences);
  throw Error(ErrorCode::integrity, message, "the database was dropped; the backup is untouched");
}

void carry_out(Context& context, const RestoreRequest& request, RestoreResult& result) {
  PgConnection server(restore_conninfo(context.config, "postgres"));
  std::vector<CopyCheck> bad;
  const Plan plan = make_plan(context, request, server, bad);
  const std::string conninfo = restore_conninfo(context.config, plan.scratch);

  drop_database(server, plan.scratch);  // what a killed restore to this target left
  ScratchDatabase scratch(server, plan);
  context.log.info(fmt::format("restoring backup '{}' of database '{}' ({})",
                               request.backup.id.substr(0, 8), plan.manifest.database,
                               format_size(plan.manifest.plain_size)));
  GetResult got =
      plan.jobs > 1 ? run_spooled(context, plan, conninfo) : run_streamed(context, plan, conninfo);
  bad.insert(bad.end(), got.bad_copies.begin(), got.bad_copies.end());
  result.record.bytes = got.bytes;
  result.record.source_storage = fmt::format("{}", fmt::join(got.served_by, ","));
  for (const CopyCheck& copy : bad)
    result.warnings.push_back(fmt::format("copy in '{}': {}", copy.storage, copy.problem));

  context.log.info("comparing rows and digests of every table with the manifest");
  const Comparison comparison = compare_database(conninfo, plan.manifest, plan.jobs);
  require_equal(comparison, request.into);
  result.record.rows = comparison.rows;
  result.tables = plan.manifest.tables.size();
  apply_properties(server, plan.scratch, plan.properties);
  check_interrupt();
  scratch.rename_to(request.into);
}

RestoreRecord begin_record(const Context& context, const RestoreRequest& request) {
  RestoreRecord record;
  record.id = Uuid::random().text();
  record.backup_id = request.backup.id;
  record.mode = "full";
  record.target = request.into;
  record.reason = request.reason;
  record.actor = context.actor;
  record.host = host_name();
  record.started_at = context.clock.now();
  record.outcome = "RUNNING";
  return record;
}

void end_record(Context& context, RestoreRecord& record, std::string outcome, std::string error) {
  record.outcome = std::move(outcome);
  record.error = std::move(error);
  record.finished_at = context.clock.now();
  record.duration_seconds =
      std::chrono::duration<double>(*record.finished_at - record.started_at).count();
  context.catalog.put_restore(record);
}

void raise_failure(Context& context, const RestoreRecord& record) {
  AlertRecord alert;
  alert.id = Uuid::random().text();
  alert.type = "RESTORE_FAILURE";
  alert.dedup_key = fmt::format("RESTORE_FAILURE:{}", record.target);
  alert.severity = AlertSeverity::critical;
  alert.message = fmt::format("restore of backup '{}' into '{}' failed: {}", record.backup_id,
                              record.target, record.error);
  alert.backup_id = record.backup_id;
  alert.run_id = context.job_id;
  alert.first_at = alert.last_at = *record.finished_at;
  context.catalog.raise_alert(alert);
}

}  // namespace

std::string restore_conninfo(const Config& config, const std::string& database) {
  if (!config.restore_conninfo.empty())
    return with_keyword(config.restore_conninfo, "dbname", database);
  Conninfo conninfo(config.conninfo);
  conninfo.set("dbname", database);
  const std::string host = conninfo.get("host").value_or("");
  const passwd* user = ::getpwuid(::geteuid());
  if ((host.empty() || host.front() == '/') && user != nullptr) {
    conninfo.set("user", user->pw_name);
    conninfo.remove("password");
  }
  return conninfo.text();
}

RestoreResult restore(Context& context, const RestoreRequest& request) {
  const Lock lock(context.config.state_dir,
                  fmt::format("{}-restore-{}", context.config.cluster, scratch_name(request.into)),
                  "bkp restore --into " + request.into);
  if (!is_whole(request.backup))
    throw Error(ErrorCode::usage,
                fmt::format("backup '{}' is {} and cannot be restored", request.backup.id,
                            to_text(request.backup.status)),
                "'bkp list' shows those that can");
  RestoreResult result;
  result.record = begin_record(context, request);
  context.catalog.put_restore(result.record);
  try {
    carry_out(context, request, result);
  } catch (const std::exception&) {
    const InterruptShield shield;
    end_record(context, result.record, "FAILED", describe(std::current_exception()));
    raise_failure(context, result.record);
    throw;
  }
  end_record(context, result.record, "DONE", "");
  context.catalog.resolve_alert(fmt::format("RESTORE_FAILURE:{}", request.into),
                                context.clock.now());
  return result;
}

}  // namespace bkp
