#include <fmt/format.h>

#include <memory>
#include <optional>

#include "backup/adopt.h"
#include "base/error.h"
#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "json.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

struct ListOptions {
  std::optional<std::string> type, status, sort;
  BackupFilter filter;
  std::optional<unsigned> limit;
  bool all = false;
  bool refresh = false;
  bool reverse = false;
};

// Newest, largest and longest first; databases by name.
BackupFilter filter_of(const ListOptions& options) {
  BackupFilter filter = options.filter;
  if (options.type) filter.type = parse_backup_type(*options.type);
  if (options.status) filter.status = parse_backup_status(*options.status);
  if (options.limit) filter.limit = *options.limit;
  const std::string sort = options.sort.value_or("created");
  if (sort == "size") filter.sort = BackupFilter::Sort::size;
  if (sort == "duration") filter.sort = BackupFilter::Sort::duration;
  if (sort == "database") filter.sort = BackupFilter::Sort::database;
  filter.ascending = (sort == "database") != options.reverse;
  filter.include_deleted = options.all || filter.status == BackupStatus::deleted;
  return filter;
}

std::vector<Cell> row_of(const BackupRecord& backup) {
  const bool sized = backup.size_bytes > 0;
  return {{backup.id.substr(0, 8), Colour::strong},
          {std::string(to_text(backup.type))},
          {std::string(to_text(backup.status)), status_colour(backup.status)},
          {backup.tenant.empty() ? backup.database : backup.database + "/" + backup.tenant},
          {format_local(backup.created_at)},
          {sized ? format_size(backup.size_bytes) : ""},
          {sized ? fmt::format("{:.1f}x", backup.compression_ratio) : ""},
          {copies_text(backup)},
          {backup.proved_at ? day_text(*backup.proved_at) : "", Colour::good},
          {backup.status == BackupStatus::failed ? backup.error : backup.note, Colour::faint}};
}

// What other hosts made, and what a lost catalog knew: told by the storages.
void refresh(Session& session) {
  session.catalog(SqlAccess::write);
  Context context = session.context();
  const AdoptResult result = adopt_backups(context);
  for (const std::string& problem : result.problems) session.log().warning(problem);
  if (result.adopted > 0)
    session.log().info(fmt::format("{} backups were new to the catalog", result.adopted));
}

int run_list(const ListOptions& options, Session& session) {
  if (options.filter.storage)
    session.config(Secrets::optional).storage(*options.filter.storage);  // known, or usage
  if (options.refresh) refresh(session);
  const std::vector<BackupRecord> backups = session.catalog().backups(filter_of(options));
  if (session.output().json()) {
    session.output().document(backups_json(backups));
    return 0;
  }
  if (backups.empty()) {
    session.log().info("no backup matches");
    return 0;
  }
  Table table({{"ID"},
               {"TYPE"},
               {"STATUS"},
               {"DATABASE"},
               {"CREATED"},
               {"SIZE", Align::right},
               {"RATIO", Align::right},
               {"COPIES"},
               {"PROVED"},
               {"NOTE"}});
  for (const BackupRecord& backup : backups) table.add(row_of(backup));
  session.output().table(table);
  return 0;
}

}  // namespace

Run declare_list(CLI::App& app) {
  const auto options = std::make_shared<ListOptions>();
  add_choice(app, "--type", options->type, kBackupTypes, "only backups of this type");
  add_choice(app, "--status", options->status, kBackupStatuses, "only backups in this status");
  add_text(app, "--database,--db", options->filter.database, "DATABASE", "only of this database");
  add_text(app, "--tenant", options->filter.tenant, "TENANT", "only of this tenant");
  add_text(app, "--storage", options->filter.storage, "STORAGE", "only with a copy there");
  add_time(app, "--since", options->filter.since, "only created then or later");
  add_time(app, "--until", options->filter.until, "only created before");
  add_choice(app, "--sort", options->sort, "created|size|duration|database",
             "order: newest (the default), largest or longest first, or by name");
  app.add_flag("--reverse", options->reverse, "the other way round");
  add_count(app, "--limit", options->limit, "at most so many");
  app.add_flag("--all", options->all, "deleted ones too");
  app.add_flag("--refresh", options->refresh, "look into the storages for others first");
  return [options](Session& session) { return run_list(*options, session); };
}

}  // namespace bkp
