#include "backup/cleanup.h"

#include <fmt/format.h>

#include <memory>

#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json_keep.h"
#include "options.h"
#include "recovery/abandoned_scratch.h"
#include "session.h"

namespace bkp {
namespace {

struct CleanupOptions {
  std::vector<std::string> storages;
  bool dry_run = false;
  bool yes = false;
};

void print_copies(const CleanupPlan& plan, Output& output) {
  Table table({{"BACKUP"}, {"TYPE"}, {"OF"}, {"STORAGE"}, {""}, {"WHY"}});
  std::size_t row = 0;
  for (const CopyDecision& copy : plan.copies) {
    while (plan.backups[row].id != copy.backup) ++row;  // the same order
    const BackupRecord& backup = plan.backups[row];
    table.add({{backup.id.substr(0, 8)},
               {std::string(to_text(backup.type))},
               {printable(backup.database)},
               {copy.storage},
               {copy.keep ? "keep" : "remove", copy.keep ? Colour::plain : Colour::warn},
               {describe(copy)}});
  }
  if (!table.empty()) output.table(table);
}

void print_rest(const CleanupPlan& plan, Output& output) {
  for (const RestDecision& rest : plan.rests)
    output.line(fmt::format("{} '{}' in '{}' ({}): {}",
                            rest.fate == RestFate::orphan ? "remove" : "keep", rest.rest.stem,
                            rest.rest.storage, format_size(rest.rest.bytes), describe(rest.fate)));
  for (const LeftoverDecision& leftover : plan.leftovers)
    output.line(fmt::format("{} {} of '{}' in '{}'", leftover.remove ? "remove" : "keep",
                            leftover_name(leftover.leftover.kind),
                            printable(leftover.leftover.name), leftover.storage));
  for (const BackupRecord& backup : plan.unfinished)
    output.line(fmt::format("finish the removal of {}", printable(backup_title(backup))));
  for (const BackupRecord& backup : plan.gone)
    output.line(fmt::format("mark {} as gone: no storage has it", printable(backup_title(backup))));
  for (const BackupRecord& backup : plan.forgotten)
    output.line(fmt::format("forget {}", printable(backup_title(backup))));
}

void print(const CleanupResult& result, Session& session) {
  Output& output = session.output();
  Table table({{"STORAGE"},
               {"DELETED", Align::right},
               {"FAILED", Align::right},
               {"TEMPORARY", Align::right},
               {"FREED", Align::right}});
  for (const StorageStatistics& storage : result.storages)
    table.add({{storage.storage},
               {std::to_string(storage.deleted)},
               {std::to_string(storage.failed), storage.failed > 0 ? Colour::bad : Colour::plain},
               {std::to_string(storage.temporary)},
               {format_size(storage.bytes)}});
  output.table(table);
  output.line(fmt::format("{} records, {} scratch databases, {} errors, in {}", result.records,
                          result.scratch, result.errors.size(),
                          format_duration(std::chrono::duration<double>(result.seconds))));
}

void refuse(const CleanupPlan& plan) {
  if (!plan.refusal.empty())
    throw Error(ErrorCode::failed, "nothing is removed: " + plan.refusal, plan.cure);
}

// Scratch databases of killed restores; a server that is down has none that matter now.
std::size_t drop_scratch(Session& session, std::vector<std::string>& errors) {
  try {
    return drop_abandoned_scratch(session.config()).size();
  } catch (const Error& error) {
    errors.push_back("scratch databases: " + error.message());
    return 0;
  }
}

int run_cleanup(const CleanupOptions& options, Session& session) {
  for (const std::string& storage : options.storages) session.config().storage(storage);
  if (!options.dry_run)
    for (const StorageConfig& storage : session.config().storages)
      if (options.storages.empty() ||
          std::count(options.storages.begin(), options.storages.end(), storage.name) > 0)
        session.take_lock("keep-" + storage.name);
  Context context = session.context();
  const CleanupPlan plan = plan_cleanup(context, {options.storages});
  for (const std::string& problem : plan.problems) session.log().warning(problem);
  Output& output = session.output();
  if (options.dry_run) {
    if (output.json()) {
      output.document(cleanup_plan_json(plan));
    } else {
      print_copies(plan, output);
      print_rest(plan, output);
    }
    refuse(plan);
    return 0;
  }
  if (!plan.refusal.empty()) tell_cleanup(context, plan, {});
  refuse(plan);
  CleanupResult result = cleanup(context, plan);
  result.scratch = drop_scratch(session, result.errors);
  for (const std::string& error : result.errors) session.log().warning(error);
  tell_cleanup(context, plan, result);
  session.set_statistics(cleanup_json(result));
  session.set_summary(fmt::format("{} errors", result.errors.size()));
  if (output.json())
    output.document(cleanup_json(result));
  else
    print(result, session);
  return cleanup_exit_code(plan, result);
}

}  // namespace

Run declare_cleanup(CLI::App& app) {
  const auto options = std::make_shared<CleanupOptions>();
  add_texts(app, "--storage", options->storages, "STORAGE", "only in these storages");
  app.add_flag("--dry-run", options->dry_run, "show what stays and what goes, and why");
  app.add_flag(
      "--yes", options->yes,
      "for scripts that always say so: the configuration is the consent, nothing is asked");
  return [options](Session& session) { return run_cleanup(*options, session); };
}

}  // namespace bkp
