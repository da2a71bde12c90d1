#include "backup/rebuild.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>

#include "backup/adopt.h"
#include "backup/history_snapshot.h"
#include "backup/record.h"
#include "backup/selection.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "config/conninfo.h"

namespace bkp {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSqlite = "sqlite:";
constexpr std::chrono::minutes kAtOnce{10};
constexpr std::size_t kAll = std::numeric_limits<std::int32_t>::max();

fs::path file_of(const Config& config) { return config.catalog_url.substr(kSqlite.size()); }

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

// Why it cannot be gone on with; empty: every page and every row of it can be read.
std::string damage_of(const std::string& url) {
  try {
    const auto rows =
        open_sql_database(url, SqlAccess::read)->query("PRAGMA integrity_check(1)", {});
    const auto* text =
        rows.empty() || rows[0].empty() ? nullptr : std::get_if<std::string>(&rows[0][0]);
    if (text == nullptr || *text != "ok") return text == nullptr ? "it does not answer" : *text;
    if (catalog_version(url) == 0) return {};
    const Catalog catalog = open_catalog(url, SqlAccess::read);
    BackupFilter everything;
    everything.include_deleted = true;
    catalog.backups(everything);
    return {};
  } catch (const CatalogDamaged& error) {
    return error.message();
  }
}

// Each of these on its own: damage may be in one table only.
void save_history(const std::string& from_url, Catalog& to, RebuildResult& result) {
  const auto attempt = [&](const char* what, const std::function<void(Catalog&)>& work) {
    try {
      Catalog from(open_sql_database(from_url, SqlAccess::read));
      work(from);
    } catch (const Error&) {
      check_interrupt();
      result.lost.emplace_back(what);
    }
  };
  attempt("runs", [&](Catalog& from) {
    for (const RunRecord& run : from.runs(kAll)) to.put_run(run), ++result.history;
  });
  attempt("restores", [&](Catalog& from) {
    for (const RestoreRecord& restore : from.restores(kAll))
      to.put_restore(restore), ++result.history;
  });
  attempt("alerts", [&](Catalog& from) {
    for (const AlertRecord& alert : from.alerts({})) to.raise_alert(alert), ++result.history;
  });
  attempt("failed and removed backups", [&](Catalog& from) {
    BackupFilter everything;
    everything.include_deleted = true;
    for (const BackupRecord& backup : from.backups(everything))
      if (!is_whole(backup)) to.put_backup(backup);
  });
}

// What the catalog takes for whole in storages that answered without it.
void note_gone(Context& context, const AdoptResult& adopted, std::optional<TimePoint> before,
               RebuildResult& result) {
  for (BackupRecord backup : context.catalog.backups({})) {
    if (!is_whole(backup) || backup.cluster != context.config.cluster) continue;
    if (before && backup.completed_at && *backup.completed_at > *before) continue;
    const auto stored = adopted.inventory.backups.find(stem_of(backup));
    bool changed = false;
    for (CopyRecord& copy : backup.copies) {
      if (copy.state != CopyState::good || !adopted.inventory.answered(copy.storage)) continue;
      if (stored != adopted.inventory.backups.end() &&
          std::find(stored->second.storages.begin(), stored->second.storages.end(), copy.storage) !=
              stored->second.storages.end())
        continue;
      copy.state = CopyState::missing;
      copy.error = "not there when the catalog was built anew";
      changed = true;
    }
    if (!changed) continue;
    backup.status = BackupStatus::completed;
    context.catalog.put_backup(backup);
    const bool any = std::any_of(backup.copies.begin(), backup.copies.end(),
                                 [](const CopyRecord& c) { return c.state == CopyState::good; });
    if (any) continue;
    ++result.gone;
    result.problems.push_back(fmt::format(
        "backup '{}' of database '{}' is in the catalog and in no storage that answered", backup.id,
        backup.database));
  }
}

void fill(const Config& config, Repository& repository, Catalog& catalog, const Clock& clock,
          Log& log, const std::vector<std::string>& storages, RebuildResult& result) {
  Context context{config, repository, catalog, clock, log, "", ""};
  const bool shared = is_postgresql_url(config.catalog_url);
  // What another host completes while the storages are listed is not in the lists.
  std::optional<TimePoint> before;
  if (shared) before = clock.now() - kAtOnce;
  const auto work = [&] {
    AdoptRequest request;
    request.storages = storages;
    const AdoptResult adopted = adopt_backups(context, request);
    const auto& asked = adopted.inventory.storages;
    if (std::all_of(asked.begin(), asked.end(),
                    [](const StoredAmount& storage) { return !storage.error.empty(); }))
      throw Error(ErrorCode::failed, "no storage answered, the catalog stays as it is: " +
                                         (asked.empty() ? std::string() : asked.front().error));
    result.found = adopted.inventory.backups.size();
    result.added = adopted.adopted;
    result.problems.insert(result.problems.end(), adopted.problems.begin(), adopted.problems.end());
    note_gone(context, adopted, before, result);
    const HistoryTaken history = take_history(context, storages);
    result.history += history.records;
    result.problems.insert(result.problems.end(), history.problems.begin(), history.problems.end());
  };
  // Other hosts go on writing to a catalog that they share, and this can take long.
  if (shared)
    work();
  else
    catalog.transaction(work);
}

[[noreturn]] void throw_file(const char* what, const fs::path& path) {
  throw Error(ErrorCode::failed,
              fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(errno)));
}

// The log of the old file must be gone before the new one is there: SQLite would apply it.
void swap_in(const fs::path& made, const fs::path& file, const fs::path& aside) {
  if (is_there(file) && ::link(file.c_str(), aside.c_str()) != 0) throw_file("move aside", file);
  for (const char* suffix : {"-wal", "-shm", "-journal"}) {
    const std::string beside = file.string() + suffix;
    if (is_there(beside) && ::rename(beside.c_str(), (aside.string() + suffix).c_str()) != 0)
      throw_file("move aside", beside);
  }
  if (::rename(made.c_str(), file.c_str()) != 0) throw_file("replace", file);
  sync_directory(file.parent_path());
}

void remove_files(const fs::path& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal", ".new"})
    ::unlink((path.string() + suffix).c_str());
}

}  // namespace

RebuildResult rebuild_catalog(const Config& config, Repository& repository, const Clock& clock,
                              Log& log, const std::vector<std::string>& storages) {
  RebuildResult result;
  if (is_postgresql_url(config.catalog_url)) {
    result.catalog = shown_conninfo(config.catalog_url);
    result.made = catalog_version(config.catalog_url) == 0;
    Catalog catalog = open_catalog(config.catalog_url, SqlAccess::write, config.cluster);
    fill(config, repository, catalog, clock, log, storages, result);
    return result;
  }
  const fs::path file = file_of(config);
  result.catalog = file.string();
  result.made = !is_there(file);
  if (!result.made) result.damage = damage_of(config.catalog_url);
  if (result.damage.empty() && !result.made) {
    Catalog catalog = open_catalog(config.catalog_url, SqlAccess::write, config.cluster);
    fill(config, repository, catalog, clock, log, storages, result);
    return result;
  }
  const fs::path made = file.string() + ".rebuilt";
  remove_files(made);
  try {
    Catalog catalog =
        open_catalog(std::string(kSqlite) + made.string(), SqlAccess::write, config.cluster);
    if (!result.made) save_history(config.catalog_url, catalog, result);
    fill(config, repository, catalog, clock, log, storages, result);
  } catch (...) {
    remove_files(made);
    throw;
  }
  const fs::path aside = file.string() + ".damaged-" + format_file_stamp(clock.now()) + "-" +
                         Uuid::random().short_text();
  swap_in(made, file, aside);
  if (!result.made) result.moved_to = aside.string();
  return result;
}

}  // namespace bkp
