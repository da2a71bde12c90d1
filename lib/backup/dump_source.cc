#include "backup/dump_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "backup/coverage.h"
#include "base/error.h"
#include "pg/archive_reader.h"
#include "pg/connection.h"
#include "pg/database_properties.h"
#include "pg/dump_access.h"
#include "pg/globals.h"
#include "pg/name.h"
#include "pg/soundness.h"
#include "pg/tools.h"
#include "repo/globals_json.h"
#include "repo/properties_json.h"
#include "repo/soundness_json.h"
#include "stream/process.h"

namespace bkp {
namespace {

constexpr std::size_t kNamedProblems = 10;

void refuse_partial_view(PgConnection& connection, const Config& config) {
  const std::vector<AccessProblem> problems = dump_access_problems(
      connection, {config.exclude_schemas, config.exclude_tables, config.exclude_table_data});
  if (problems.empty()) return;
  std::string message = fmt::format("role '{}' cannot see all of database '{}'", connection.user(),
                                    connection.database());
  std::set<std::string> cures;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    cures.insert(problems[i].cure);
    if (i < kNamedProblems)
      message += fmt::format("; {}: {}", problems[i].subject, problems[i].reason);
  }
  if (problems.size() > kNamedProblems)
    message += fmt::format("; and {} more", problems.size() - kNamedProblems);
  throw Error(ErrorCode::failed, message, fmt::format("as a superuser: {}", fmt::join(cures, " ")));
}

DumpArguments dump_arguments(const Config& config, const std::string& conninfo,
                             const std::string& snapshot, const std::string& encoding) {
  DumpArguments arguments;
  arguments.conninfo = conninfo;
  arguments.snapshot = snapshot;
  arguments.encoding = encoding;
  arguments.exclude_schemas = config.exclude_schemas;
  arguments.exclude_tables = config.exclude_tables;
  arguments.exclude_table_data = config.exclude_table_data;
  arguments.lock_wait = config.lock_wait;
  return arguments;
}

// The cluster's globals as a manifest has them, or why they cannot be had: a role whose name the
// database's encoding does not know must not keep the database from being dumped.
struct TakenGlobals {
  std::string encoded, problem;
};

TakenGlobals take_globals(PgConnection& connection) {
  TakenGlobals taken;
  connection.execute("SAVEPOINT globals");
  try {
    taken.encoded = encode_globals(read_globals(connection));
  } catch (const Error& error) {
    taken.problem = error.message();
    connection.execute("ROLLBACK TO SAVEPOINT globals");
  }
  return taken;
}

std::string version_text(int server_version) {
  return fmt::format("{}.{}", server_version / 10000, server_version % 10000);
}

}  // namespace

struct DumpSource::State {
  State(const Config& config, const std::string& database)
      : conninfo(with_keyword(config.conninfo, "dbname", database)), connection(conninfo) {}

  const Config* settings = nullptr;
  std::string conninfo;
  PgConnection connection;
  std::optional<ExportedSnapshot> snapshot;
  DatabaseProperties properties;
  TakenGlobals globals;
  Soundness soundness;
  std::string system;
  std::set<std::string> configuration_tables;
  ToolVersion tool;
  bool digests = true;
  std::optional<Process> process;
  std::optional<ArchiveReader> archive;
};

DumpSource::DumpSource(const Context& context, const std::string& database)
    : state_(std::make_unique<State>(context.config, database)) {
  state_->settings = &context.config;
  State& state = *state_;
  refuse_partial_view(state.connection, context.config);
  const std::filesystem::path tools = find_tools(state.connection.major(), context.config.bin_dir);
  state.tool = tool_version(tools / "pg_dump");
  state.system = system_identifier(state.connection);
  state.snapshot.emplace(state.connection);
  state.properties = read_properties(state.connection);
  state.globals = take_globals(state.connection);
  for (const std::string& table : extension_configuration_tables(state.connection))
    state.configuration_tables.insert(table);
  state.process.emplace(
      dump_process(tools, dump_arguments(context.config, state.conninfo, state.snapshot->id(),
                                         state.properties.encoding)));
  state.digests = context.config.digests;
  state.archive.emplace(*state.process, state.digests ? Digests::yes : Digests::no);
  // While pg_dump takes its locks and reads the definitions.
  state.soundness = read_soundness(state.connection, Effort::cheap);
}

DumpSource::~DumpSource() = default;

std::size_t DumpSource::read(std::span<std::byte> out) {
  const std::size_t count = state_->archive->read(out);
  // The stream is over, but slow storages may take long over the rest of it.
  if (count == 0) state_->snapshot.reset();
  return count;
}

std::vector<std::string> DumpSource::shortcomings() const {
  const std::string& problem = state_->globals.problem;
  if (problem.empty()) return {};
  return {"roles and tablespaces are not in this backup: " + problem};
}

std::string DumpSource::current_part() const { return state_->archive->current_table(); }

void DumpSource::describe(Manifest& manifest) const {
  const State& state = *state_;
  const ArchiveContents& contents = state.archive->contents();
  manifest.system_identifier = state.system;
  manifest.server_version = version_text(state.connection.server_version());
  manifest.tool_version = state.tool.text;
  manifest.archive_version = fmt::format("{}.{}", contents.version_major, contents.version_minor);
  manifest.properties = encode_properties(state.properties);
  if (state.globals.problem.empty())
    put_globals(manifest, state.globals.encoded);
  else
    put_globals_problem(manifest, state.globals.problem);
  put_soundness(manifest, state.soundness);
  manifest.owners.assign(contents.owners.begin(), contents.owners.end());
  for (const TableData& table : contents.tables) {
    ManifestTable entry{table.schema, table.name, table.copy_columns, table.rows, table.bytes,
                        "",           false};
    if (state.digests) entry.digest = table.digest.hex();
    entry.at_least = state.configuration_tables.contains(qualified_name(table.schema, table.name));
    manifest.tables.push_back(std::move(entry));
  }
  record_coverage(*state.settings, manifest);
  manifest.large_objects = contents.large_objects.count;
  manifest.large_object_bytes = contents.large_objects.bytes;
  if (state.digests && contents.large_objects.count > 0)
    manifest.large_object_digest = contents.large_objects.digest.hex();
}

}  // namespace bkp
