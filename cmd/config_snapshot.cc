#include "backup/config_snapshot.h"

#include <fmt/format.h>

#include <memory>

#include "backup/config_diff.h"
#include "backup/stored_manifest.h"
#include "base/privilege.h"
#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json.h"
#include "options.h"
#include "session.h"
#include "stream/memory_stream.h"

namespace bkp {
namespace {

struct ConfigSnapshotOptions {
  std::string note;
  bool diff = false;
  std::optional<std::string> since;
};

constexpr std::size_t kNamed = 20;
constexpr std::size_t kLargestServerFile = std::size_t{64} << 20;

void tell_left_out(const std::vector<LeftOut>& all, Log& log) {
  std::size_t told = 0, counted = 0;
  for (const LeftOut& out : all) {
    const std::string line =
        fmt::format("left out '{}': {}", printable(out.path), printable(out.reason));
    if (!out.counted)
      log.info(line);
    else if (++counted <= kNamed && ++told)
      log.warning(line);
  }
  if (counted > told)
    log.warning(fmt::format("and {} more: 'bkp show' of the snapshot names them", counted - told));
}

std::string summary(const SnapshotResult& result) {
  const BackupRecord& backup = result.stored.backup;
  if (result.unchanged)
    return fmt::format("{} has it: nothing has changed since {}, {} entries, on {}",
                       backup.id.substr(0, 8), format_local(backup.created_at),
                       result.configuration.entries.size(), copies_text(backup));
  return fmt::format("{} {}: {} entries, {} stored, {} on {}, in {}", backup.id.substr(0, 8),
                     to_text(backup.status), result.configuration.entries.size(),
                     format_size(backup.size_bytes), backup.filename, copies_text(backup),
                     format_duration(std::chrono::duration<double>(backup.duration_seconds)));
}

int take_snapshot(const ConfigSnapshotOptions& options, Session& session) {
  session.take_lock("config-snapshot");
  Context context = session.context();
  const SnapshotResult result = config_snapshot(context, session.pool(), options.note);
  session.set_summary(result.stored.error ? result.stored.error->message() : summary(result));
  if (session.output().json()) {
    session.output().document(snapshot_json(result));
    return snapshot_exit_code(result);
  }
  tell_left_out(result.configuration.left_out, session.log());
  for (const std::string& warning : result.stored.warnings) session.log().warning(warning);
  if (result.stored.error)
    session.report(result.stored.error->within("backup of the configuration"));
  else
    session.output().line(summary(result));
  return snapshot_exit_code(result);
}

class ArchiveMember final : public Source {
 public:
  explicit ArchiveMember(TarReader& from) : from_(from) {}
  std::size_t read(std::span<std::byte> out) override { return from_.read(out); }

 private:
  TarReader& from_;
};

// What the server says member by member, where its files differ.
void tell_members(std::vector<ConfigurationChange>& changes, const ServerState& now, Fd archive) {
  TarReader reader(std::move(archive));
  while (const std::optional<TarEntry> entry = reader.next())
    for (ConfigurationChange& change : changes) {
      if (change.path != entry->path || change.kind != ConfigurationChange::Kind::changed) continue;
      for (const ServerState::File& file : now.files) {
        if (std::string(kServerDirectory) + "/" + file.name != change.path) continue;
        ArchiveMember member(reader);
        const Bytes before = read_all(member, kLargestServerFile);
        std::vector<std::string> what = compare_server_files(as_text(before), file.content);
        if (!what.empty()) change.what = std::move(what);
      }
    }
}

void print_changes(const std::vector<ConfigurationChange>& changes, Output& output) {
  for (const ConfigurationChange& change : changes) {
    const bool added = change.kind == ConfigurationChange::Kind::added;
    const bool removed = change.kind == ConfigurationChange::Kind::removed;
    output.line(output.paint(fmt::format("{} {}",
                                         added     ? "+"
                                         : removed ? "-"
                                                   : "~",
                                         printable(change.path)),
                             added     ? Colour::good
                             : removed ? Colour::bad
                                       : Colour::warn));
    for (const std::string& what : change.what) output.line("    " + printable(what));
  }
}

int show_changes(const ConfigSnapshotOptions& options, Session& session) {
  const BackupRecord backup = wanted_backup(
      session, {options.since.value_or("latest"), {BackupType::configuration}, {}, {}});
  Context context = session.context();
  std::vector<CopyCheck> bad;
  const Manifest manifest = fetch_manifest(context, backup, bad);
  const ConfigurationPlan plan =
      plan_configuration(context.config, context.repository.keys(), context.log);
  const Configuration now = survey(plan, session.clock().now());
  std::vector<ConfigurationChange> changes =
      compare_configurations(decode_configuration(manifest.details), now);
  tell_members(changes, plan.server,
               fetch_archive(context, manifest, read_order(context, bad), nullptr));
  session.set_summary(fmt::format("{} changes since {}", changes.size(), backup.id));
  const int code = now.problems() > 0 ? 3 : 0;
  if (session.output().json()) {
    session.output().document(changes_json(backup, changes, now.left_out));
    return code;
  }
  tell_left_out(now.left_out, session.log());
  if (changes.empty()) session.log().info("nothing has changed since " + backup_title(backup));
  print_changes(changes, session.output());
  return code;
}

int run_config_snapshot(const ConfigSnapshotOptions& options, Session& session) {
  if (!options.diff && options.since)
    throw Error(ErrorCode::usage, "'ID' says something only with '--diff'");
  // What the user that runs bkp may not read, root may who started it.
  const RaisedPrivilege raised(kReadFiles);
  return options.diff ? show_changes(options, session) : take_snapshot(options, session);
}

}  // namespace

Run declare_config_snapshot(CLI::App& app) {
  const auto options = std::make_shared<ConfigSnapshotOptions>();
  add_text(app, "ID", options->since, "ID",
           "with --diff: the snapshot to compare with; the newest if none is named");
  app.add_flag("--diff", options->diff, "say what has changed since, and store nothing");
  add_text(app, "--note", options->note, "TEXT", "kept with the backup, shown by list");
  return [options](Session& session) { return run_config_snapshot(*options, session); };
}

}  // namespace bkp
