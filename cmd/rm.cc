#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "backup/remove.h"
#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json_upkeep.h"
#include "options.h"
#include "prompt.h"
#include "session.h"

namespace bkp {
namespace {

struct RmOptions {
  std::vector<std::string> ids, storages;
  std::optional<std::string> database;
  bool dry_run = false;
  bool even_last = false;
  bool yes = false;
};

std::vector<Removal> plan(const RmOptions& options, Session& session) {
  RemovalRequest request;
  for (const std::string& id : options.ids)
    request.backups.push_back(wanted_backup(session, {id, {}, options.database, {}}));
  for (const std::string& storage : options.storages) session.config().storage(storage);
  request.storages = options.storages;
  request.configured = session.repository().storage_names();
  request.last_copy = options.even_last ? LastCopy::may_go : LastCopy::keep;
  std::vector<Removal> removals = plan_removal(session.catalog().backups({}), request);
  Context context = session.context();
  confirm_with_storages(context, removals, request.last_copy);
  return removals;
}

void tell(const std::vector<Removal>& removals, Session& session) {
  for (const Removal& removal : removals) {
    const std::string title = printable(backup_title(removal.backup));
    if (!removal.refusal.empty())
      session.output().line(fmt::format("keep    {}: {}", title, printable(removal.refusal)));
    else
      session.output().line(
          fmt::format("remove  {} from {}; {}", title, fmt::join(removal.storages, ", "),
                      removal.relies_on.empty()
                          ? "nothing of it stays"
                          : fmt::format("it stays in {}", fmt::join(removal.relies_on, ", "))));
  }
}

// Nothing goes where one of several may not: whoever typed it meant all of them.
void refuse(const std::vector<Removal>& removals) {
  for (const Removal& removal : removals)
    if (!removal.refusal.empty())
      throw Error(ErrorCode::usage,
                  fmt::format("backup '{}' is not removed: {}", removal.backup.id, removal.refusal),
                  removal.cure);
}

void ask_first(const RmOptions& options, const std::vector<Removal>& removals, Session& session) {
  if (options.yes) return;
  if (!can_ask())
    throw Error(ErrorCode::usage, "'bkp rm' needs --yes where nobody can be asked",
                "'--dry-run' shows what it would do");
  tell(removals, session);
  if (!confirm("remove for good"))
    throw Error(ErrorCode::failed, "not confirmed: nothing was done");
}

int print(const std::vector<RemoveResult>& results, Session& session) {
  std::size_t left = 0;
  for (const RemoveResult& result : results) left += result.done() ? 0 : 1;
  session.set_summary(fmt::format("{} removed, {} not done", results.size() - left, left));
  if (session.output().json()) {
    session.output().document(removed_json(results));
    return left == 0 ? 0 : 3;
  }
  for (const RemoveResult& result : results) {
    std::vector<std::string> gone;
    for (const CopyRemoval& copy : result.copies) {
      if (copy.problem.empty()) gone.push_back(copy.storage);
      if (!copy.problem.empty())
        session.log().warning(fmt::format("not removed from '{}': {}", copy.storage, copy.problem));
    }
    session.output().line(fmt::format("{} {} from {}", result.done() ? "removed " : "in part ",
                                      printable(backup_title(result.backup)),
                                      fmt::join(gone, ", ")));
  }
  if (left > 0) session.log().info("the same command again finishes what is left");
  return left == 0 ? 0 : 3;
}

int run_rm(const RmOptions& options, Session& session) {
  const std::vector<Removal> removals = plan(options, session);
  if (options.dry_run) {
    if (session.output().json())
      session.output().document(removals_json(removals));
    else
      tell(removals, session);
    return 0;
  }
  refuse(removals);
  ask_first(options, removals, session);
  Context context = session.context();
  return print(remove_backups(context, removals), session);
}

}  // namespace

Run declare_rm(CLI::App& app) {
  const auto options = std::make_shared<RmOptions>();
  add_texts(app, "ID", options->ids, "ID", "UUIDs, their beginnings, file names, or 'latest'")
      ->required();
  add_texts(app, "--storage", options->storages, "STORAGE", "only the copies in these storages");
  add_text(app, "--database,--db", options->database, "DATABASE", "of which 'latest' is meant");
  app.add_flag("--dry-run", options->dry_run, "show what it would do");
  app.add_flag("--even-last", options->even_last,
               "also the last good copy of a database's newest good backup");
  app.add_flag("--yes", options->yes, "ask nothing");
  return [options](Session& session) { return run_rm(*options, session); };
}

}  // namespace bkp
