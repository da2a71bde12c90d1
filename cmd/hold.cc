#include <fmt/format.h>

#include <memory>

#include "backup/remove.h"
#include "backup/selection.h"
#include "base/error.h"
#include "commands.h"
#include "describe.h"
#include "json.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

struct HoldOptions {
  std::vector<std::string> ids;
  std::optional<std::string> database;
  std::string reason;
};

using Change = std::function<std::vector<std::string>(Context&, BackupRecord&)>;

// Every ID is known before the first is changed.
int change_all(const HoldOptions& options, const char* done, const Change& change,
               Session& session) {
  std::vector<BackupRecord> backups;
  for (const std::string& id : options.ids)
    backups.push_back(wanted_backup(session, {id, {}, options.database, {}}));
  Context context = session.context();
  bool in_part = false;
  for (BackupRecord& backup : backups) {
    const std::vector<std::string> problems = change(context, backup);
    for (const std::string& problem : problems) session.log().warning(problem);
    in_part |= !problems.empty();
    if (!session.output().json())
      session.output().line(fmt::format("{} {}", problems.empty() ? done : "in part ",
                                        printable(backup_title(backup))));
  }
  if (session.output().json()) session.output().document(backups_json(backups));
  return in_part ? 3 : 0;
}

int run_hold(const HoldOptions& options, Session& session) {
  return change_all(
      options, "held    ",
      [&](Context& context, BackupRecord& backup) {
        if (!is_whole(backup))
          throw Error(ErrorCode::usage, fmt::format("backup '{}' is {}: there is nothing to hold",
                                                    backup.id, to_text(backup.status)));
        return hold_backup(context, backup, options.reason);
      },
      session);
}

int run_release(const HoldOptions& options, Session& session) {
  return change_all(
      options, "released",
      [](Context& context, BackupRecord& backup) { return release_backup(context, backup); },
      session);
}

std::shared_ptr<HoldOptions> declare_ids(CLI::App& app) {
  auto options = std::make_shared<HoldOptions>();
  add_texts(app, "ID", options->ids, "ID", "UUIDs, their beginnings, file names, or 'latest'")
      ->required();
  add_text(app, "--database,--db", options->database, "DATABASE", "of which 'latest' is meant");
  return options;
}

}  // namespace

Run declare_hold(CLI::App& app) {
  const auto options = declare_ids(app);
  add_text(app, "--reason", options->reason, "TEXT", "why, for the record");
  return [options](Session& session) { return run_hold(*options, session); };
}

Run declare_release(CLI::App& app) {
  const auto options = declare_ids(app);
  return [options](Session& session) { return run_release(*options, session); };
}

}  // namespace bkp
