#include "backup/sync.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json_keep.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

struct SyncOptions {
  std::vector<std::string> ids, storages;
  std::optional<std::string> limit;
  bool dry_run = false;
};

SyncRequest request_of(const SyncOptions& options, Session& session) {
  SyncRequest request;
  for (const std::string& id : options.ids)
    request.ids.push_back(wanted_backup(session, {id, {}, {}, {}}).id);
  for (const std::string& storage : options.storages) session.config().storage(storage);
  request.storages = options.storages;
  if (options.limit) request.limit = parse_size(*options.limit);
  return request;
}

int show_plan(const SyncPlan& plan, Session& session) {
  if (session.output().json()) {
    session.output().document(sync_plan_json(plan));
    return 0;
  }
  for (const LackingCopy& copy : plan.copies) {
    const auto backup =
        std::find_if(plan.backups.begin(), plan.backups.end(),
                     [&](const BackupRecord& each) { return each.id == copy.backup; });
    session.output().line(fmt::format("bring {} to '{}' ({})", printable(backup_title(*backup)),
                                      copy.storage, format_size(backup->size_bytes)));
  }
  if (plan.copies.empty()) session.output().line("nothing is lacking");
  return 0;
}

void print(const SyncResult& result, Session& session) {
  for (const SyncedCopy& copy : result.copies) {
    const std::string title = printable(backup_title(copy.backup));
    if (!copy.error.empty())
      session.log().warning(
          fmt::format("{} not brought to '{}': {}", title, copy.storage, copy.error));
    else
      session.output().line(fmt::format("brought {} to '{}' from {} ({})", title, copy.storage,
                                        fmt::join(copy.from, ", "), format_size(copy.bytes)));
  }
  if (result.copies.empty() && result.problems.empty()) session.output().line("nothing is lacking");
  if (result.left > 0)
    session.output().line(fmt::format("{} left, because of --limit", result.left));
}

int run_sync(const SyncOptions& options, Session& session) {
  const SyncRequest request = request_of(options, session);
  Context context = session.context();
  if (options.dry_run) {
    const SyncPlan plan = make_sync_plan(context, request);
    for (const std::string& problem : plan.problems) session.log().warning(problem);
    return show_plan(plan, session);
  }
  for (const std::string& storage : session.repository().storage_names())
    if (request.storages.empty() ||
        std::count(request.storages.begin(), request.storages.end(), storage) > 0)
      session.take_lock("keep-" + storage);
  const SyncResult result = sync(context, request);
  for (const std::string& problem : result.problems) session.log().warning(problem);
  const auto failed = std::count_if(result.copies.begin(), result.copies.end(),
                                    [](const SyncedCopy& copy) { return !copy.error.empty(); });
  session.set_summary(fmt::format("{} copies brought, {} not",
                                  result.copies.size() - static_cast<std::size_t>(failed), failed));
  if (session.output().json())
    session.output().document(sync_json(result));
  else
    print(result, session);
  return sync_exit_code(result);
}

}  // namespace

Run declare_sync(CLI::App& app) {
  const auto options = std::make_shared<SyncOptions>();
  add_texts(app, "ID", options->ids, "ID", "only these backups");
  add_texts(app, "--storage", options->storages, "STORAGE", "only to these storages");
  add_text(app, "--limit", options->limit, "SIZE",
           "begin no copy once so much was brought, such as 20GiB");
  app.add_flag("--dry-run", options->dry_run, "show what is lacking where");
  return [options](Session& session) { return run_sync(*options, session); };
}

}  // namespace bkp
