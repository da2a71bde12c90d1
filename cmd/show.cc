#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "backup/configuration.h"
#include "backup/stored_manifest.h"
#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json.h"
#include "options.h"
#include "repo/globals_json.h"
#include "session.h"

namespace bkp {
namespace {

struct ShowOptions {
  std::string id;
  std::optional<std::string> database;
  std::optional<std::string> tables, type;
};

constexpr std::size_t kTablesShown = 10;

class Sheet {
 public:
  explicit Sheet(Output& output) : output_(output) {}
  void add(std::string_view name, const std::string& value, Colour colour = Colour::plain) {
    if (!value.empty())
      output_.line(fmt::format("{:<18}{}", name, output_.paint(printable(value), colour)));
  }
  void add(std::string_view name, const std::optional<TimePoint>& time) {
    if (time) add(name, format_local(*time));
  }

 private:
  Output& output_;
};

std::string size_text(std::uint64_t bytes) {
  return fmt::format("{} ({} bytes)", format_size(bytes), bytes);
}

void print_facts(const BackupRecord& backup, Output& output) {
  Sheet sheet(output);
  sheet.add("ID", backup.id, Colour::strong);
  sheet.add("Type", std::string(to_text(backup.type)));
  sheet.add("Status", std::string(to_text(backup.status)), status_colour(backup.status));
  sheet.add("Error", backup.error, Colour::bad);
  sheet.add("Cluster", backup.cluster);
  sheet.add("Database", backup.database);
  sheet.add("Tenant", backup.tenant);
  sheet.add("Created", format_local(backup.created_at));
  sheet.add("Completed", backup.completed_at);
  sheet.add("Verified", backup.verified_at);
  sheet.add("Proved", backup.proved_at);
  sheet.add("Deleted", backup.deleted_at);
  sheet.add("Took", format_duration(std::chrono::duration<double>(backup.duration_seconds)));
  sheet.add("Stored", size_text(backup.size_bytes));
  sheet.add("Plain", size_text(backup.plain_size_bytes));
  sheet.add("Ratio", fmt::format("{:.2f}x", backup.compression_ratio));
  sheet.add("SHA-256 stored", backup.checksum);
  sheet.add("SHA-256 plain", backup.plain_checksum);
  sheet.add("File", backup.filename);
  sheet.add("Made by", backup.created_by + " on " + backup.host);
  sheet.add("Run", backup.job_id);
  sheet.add("Held", backup.held ? "yes: nothing may remove it" : "");
  sheet.add("Note", backup.note);
  for (const auto& [name, value] : facts_of(backup)) sheet.add(name, value);
}

void print_copies(const BackupRecord& backup, Output& output) {
  if (backup.copies.empty()) return;
  Table table({{"STORAGE"}, {"STATE"}, {"SIZE", Align::right}, {"CHECKED"}, {"PATH"}});
  for (const CopyRecord& copy : backup.copies)
    table.add({{copy.storage},
               {std::string(to_text(copy.state)), state_colour(copy.state)},
               {format_size(copy.size_bytes)},
               {copy.checked_at ? format_local(*copy.checked_at) : "never"},
               {copy.error.empty() ? copy.path : copy.path + ": " + copy.error}});
  output.line("");
  output.table(table);
}

void print_tables(std::vector<ManifestTable> tables, bool all, Output& output) {
  if (tables.empty()) return;
  std::stable_sort(
      tables.begin(), tables.end(),
      [](const ManifestTable& a, const ManifestTable& b) { return a.bytes > b.bytes; });
  const std::size_t shown = all ? tables.size() : std::min(tables.size(), kTablesShown);
  Table table({{"TABLE"}, {"ROWS", Align::right}, {"SIZE", Align::right}, {"DIGEST"}});
  for (std::size_t i = 0; i < shown; ++i)
    table.add({{tables[i].schema + "." + tables[i].name},
               {std::to_string(tables[i].rows) + (tables[i].at_least ? "+" : "")},
               {format_size(tables[i].bytes)},
               {tables[i].digest, Colour::faint}});
  output.line("");
  output.table(table);
  if (shown < tables.size())
    output.line(fmt::format("… and {} smaller ones: --tables all", tables.size() - shown));
}

std::string counted(std::size_t count, const std::string& thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

void print_globals(const ManifestGlobals& manifest, Output& output) {
  Sheet sheet(output);
  if (!manifest.globals) return sheet.add("Globals", "none: " + manifest.problem, Colour::warn);
  const Globals& globals = *manifest.globals;
  const std::string counts = counted(globals.roles.size(), "role") + ", " +
                             counted(globals.memberships.size(), "membership") + ", " +
                             counted(globals.tablespaces.size(), "tablespace");
  if (globals.passwords)
    sheet.add("Globals", counts);
  else
    sheet.add("Globals", counts + "; without passwords, which its role may not read", Colour::warn);
}

std::string owner_of(const TarEntry& entry) {
  const auto name = [](const std::string& text, std::uint32_t id) {
    return text.empty() ? std::to_string(id) : text;
  };
  return name(entry.user, entry.uid) + ":" + name(entry.group, entry.gid);
}

std::string remark_of(const ConfigurationEntry& entry) {
  if (!entry.tar.link.empty())
    return entry.tar.type == FileType::symlink ? "to " + entry.tar.link : "is /" + entry.tar.link;
  return entry.secret ? "sealed" : "";
}

void print_configuration(const Configuration& shown, bool all, Output& output) {
  Table table({{"MODE"}, {"OWNER"}, {"SIZE", Align::right}, {"PATH"}, {""}});
  std::size_t rest = 0;
  for (const ConfigurationEntry& entry : shown.entries) {
    if (entry.tar.type == FileType::directory && !all) continue;
    if (!all && ++rest > kTablesShown) continue;
    table.add({{fmt::format("{:04o}", entry.tar.mode)},
               {owner_of(entry.tar)},
               {entry.tar.type == FileType::file ? format_size(entry.tar.size) : ""},
               {printable(shown_path(entry.tar.path))},
               {printable(remark_of(entry)), Colour::faint}});
  }
  output.line("");
  output.table(table);
  if (rest > kTablesShown)
    output.line(fmt::format("… and {} more: --tables all", rest - kTablesShown));
  for (const LeftOut& out : shown.left_out)
    output.line(fmt::format("left out '{}': {}", printable(out.path), printable(out.reason)));
}

// The manifest in the nearest storage; a catalog entry is shown without it too.
std::optional<Manifest> manifest_of(const BackupRecord& backup, Session& session) {
  if (!is_whole(backup)) return std::nullopt;
  try {
    std::vector<CopyCheck> bad;
    return fetch_manifest(session.context(), backup, bad);
  } catch (const Error& error) {
    session.log().warning("what is in it is not shown: " + error.message());
    return std::nullopt;
  }
}

int run_show(const ShowOptions& options, Session& session) {
  const BackupRecord backup =
      wanted_backup(session, {options.id, wanted_types(options.type), options.database, {}});
  const std::string which = options.tables.value_or("top");
  const std::optional<Manifest> manifest =
      which == "none" ? std::nullopt : manifest_of(backup, session);
  const ManifestGlobals globals = manifest ? globals_of(*manifest) : ManifestGlobals();
  std::optional<Configuration> configuration;
  if (manifest && backup.type == BackupType::configuration)
    configuration = decode_configuration(manifest->details);
  Output& output = session.output();
  if (output.json() && configuration) {
    output.document(shown_configuration_json(backup, *configuration));
    return 0;
  }
  if (output.json()) {
    output.document(shown_json(backup, manifest ? manifest->tables : std::vector<ManifestTable>(),
                               globals.globals ? &*globals.globals : nullptr));
    return 0;
  }
  print_facts(backup, output);
  if (manifest && !configuration) print_globals(globals, output);
  print_copies(backup, output);
  if (manifest) print_tables(manifest->tables, which == "all", output);
  if (configuration) print_configuration(*configuration, which == "all", output);
  return 0;
}

}  // namespace

Run declare_show(CLI::App& app) {
  const auto options = std::make_shared<ShowOptions>();
  add_text(app, "ID", options->id, "ID", "UUID, its beginning, file name, or 'latest'")->required();
  add_text(app, "--database,--db", options->database, "DATABASE", "of which 'latest' is meant");
  add_choice(
      app, "--tables", options->tables, "top|all|none",
      "which tables: the ten largest (the default), all, or none; of a configuration, files");
  add_choice(app, "--type", options->type, kBackupTypes, "of which 'latest' is meant");
  return [options](Session& session) { return run_show(*options, session); };
}

}  // namespace bkp
