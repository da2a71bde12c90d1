#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "backup/rebuild.h"
#include "base/error.h"
#include "catalog/migrations.h"
#include "commands.h"
#include "json_upkeep.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

struct CatalogOptions {
  std::optional<std::string> action;
  std::vector<std::string> from;
};

int migrate(Session& session) {
  const std::string& url = session.config(Secrets::optional).catalog_url;
  const bool there = session.has_catalog();
  const int before = there ? catalog_version(url) : 0;
  session.catalog(SqlAccess::write);
  if (session.output().json())
    session.output().document(migration_json(before, kCatalogVersion));
  else if (before == kCatalogVersion)
    session.output().line(fmt::format("the catalog has version {}, the newest", before));
  else
    session.output().line(
        fmt::format("the catalog had version {} and has {}", before, kCatalogVersion));
  return 0;
}

void print(const RebuildResult& result, Output& output) {
  if (!result.damage.empty()) output.line("damaged  " + printable(result.damage));
  if (!result.moved_to.empty()) output.line("moved    to " + result.moved_to);
  output.line(fmt::format("{} {}: {} backups in the storages, {} of them new to it",
                          result.made             ? "made    "
                          : result.damage.empty() ? "completed"
                                                  : "rebuilt ",
                          result.catalog, result.found, result.added));
  if (result.history > 0)
    output.line(fmt::format("saved    {} records of runs, restores and alerts", result.history));
}

int rebuild(const CatalogOptions& options, Session& session) {
  const Config& config = session.config();
  for (const std::string& storage : options.from) config.storage(storage);
  session.take_lock("dump");
  const RebuildResult result =
      rebuild_catalog(config, session.repository(), session.clock(), session.log(), options.from);
  for (const std::string& problem : result.problems) session.log().warning(problem);
  if (!result.lost.empty())
    session.log().warning(fmt::format("the damaged catalog's record of {} could not be read",
                                      fmt::join(result.lost, ", ")));
  if (session.output().json())
    session.output().document(rebuild_json(result));
  else
    print(result, session.output());
  return result.problems.empty() ? 0 : 3;
}

int run_catalog(const CatalogOptions& options, Session& session) {
  if (options.action == "rebuild") return rebuild(options, session);
  if (!options.from.empty())
    throw Error(ErrorCode::usage, "'--from' goes with 'bkp catalog rebuild' only");
  return migrate(session);
}

}  // namespace

Run declare_catalog(CLI::App& app) {
  const auto options = std::make_shared<CatalogOptions>();
  add_choice(app, "ACTION", options->action, "migrate|rebuild",
             "migrate: bring the schema up to date; rebuild: fill it from the storages' manifests")
      ->required();
  add_texts(app, "--from", options->from, "STORAGE", "rebuild from these storages only");
  return [options](Session& session) { return run_catalog(*options, session); };
}

}  // namespace bkp
