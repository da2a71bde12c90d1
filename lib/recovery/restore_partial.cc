#include "recovery/restore_partial.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "pg/name.h"
#include "recovery/build_database.h"
#include "recovery/restore_log.h"
#include "recovery/restore_server.h"
#include "recovery/server_lock.h"

namespace bkp {
namespace {

const ManifestTable& in_manifest(const Manifest& manifest, const TableData& table) {
  const auto found =
      std::find_if(manifest.tables.begin(), manifest.tables.end(), [&](const ManifestTable& each) {
        return each.schema == table.schema && each.name == table.name;
      });
  if (found == manifest.tables.end())
    throw Error(ErrorCode::integrity, fmt::format("the manifest does not know table '{}'",
                                                  qualified_name(table.schema, table.name)));
  return *found;
}

// Rows that were there before make a digest of the table say nothing: then it is their number.
void prove(PgConnection& connection, const Manifest& manifest, const PartialLoad& load,
           PartialResult& result, RestoreRecord& record) {
  std::vector<ManifestTable> wanted;
  std::vector<TableData> tables;
  for (const PartialLoad::Loaded& loaded : load.loaded()) {
    ManifestTable table = in_manifest(manifest, loaded.table);
    record.rows += table.rows;
    if (loaded.before > 0) {
      table.rows += loaded.before;
      table.digest.clear();
    }
    if (table.digest.empty()) result.counted.push_back(qualified_name(table.schema, table.name));
    wanted.push_back(std::move(table));
    tables.push_back(loaded.table);
  }
  const std::vector<CheckedTable> found = check_tables(connection, std::move(tables), Digests::yes);
  require_equal(compare_tables(wanted, found), record.target, "nothing was changed");
  result.restored.tables = wanted.size();
}

std::string details_of(const PartialRequest& request, const PartialResult& result) {
  nlohmann::ordered_json details;
  details["tables"] = request.wanted.tables;
  details["schemas"] = request.wanted.schemas;
  details["content"] = request.wanted.content == PartialContent::all      ? "all"
                       : request.wanted.content == PartialContent::schema ? "schema"
                                                                          : "data";
  details["objects"] = result.objects;
  details["counted"] = result.counted;
  return details.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// Everything up to the commit, in the database of `name`.
void load_into(Context& context, const std::string& name, const BuildPlan& plan,
               const PartialRequest& request, PartialResult& result, RestoreRecord& record) {
  PgConnection connection(restore_conninfo(context.config, name));
  connection.execute("SET transform_null_equals = off");
  PartialLoad load(connection,
                   {request.wanted, plan.tools, context.config.spool_dir, request.restore.into});
  context.log.info(fmt::format("restoring a part of backup '{}' of database '{}' ({})",
                               plan.backup.id.substr(0, 8), plan.manifest.database,
                               format_size(plan.manifest.plain_size)));
  const GetResult got = context.repository.get(plan.manifest, plan.read_order, load);
  record.bytes = got.bytes;
  record.source_storage = fmt::format("{}", fmt::join(got.served_by, ","));
  for (const std::vector<CopyCheck>* bad : {&plan.bad_copies, &got.bad_copies})
    for (const CopyCheck& copy : *bad)
      result.restored.warnings.push_back(
          fmt::format("copy in '{}': {}", copy.storage, copy.problem));
  context.log.info("comparing rows and digests of the restored tables with the manifest");
  prove(connection, plan.manifest, load, result, record);
  check_interrupt();
  const InterruptShield shield;
  load.commit();
  result.objects = load.objects();
}

void carry_out(Context& context, const PartialRequest& request, PartialResult& result,
               RestoreRecord& record) {
  const std::string& into = request.restore.into;
  PgConnection server(restore_conninfo(context.config, "postgres"));
  const TargetLock lock(server, into, context.wait);
  close_killed_restores(context, record);
  require_database_name(into);
  const BuildPlan plan = plan_build(context, server, request.restore.backup, 1);
  result.created = !database_exists(server, into);
  if (!result.created) {
    load_into(context, into, plan, request, result, record);
  } else {
    const std::string name = scratch_name("restore", into);
    ScratchDatabase scratch(server, name, plan.properties);
    load_into(context, name, plan, request, result, record);
    for (std::string& refused : apply_properties(server, name, plan.properties))
      result.restored.warnings.push_back(std::move(refused));
    scratch.rename_to(into);
  }
  result.restored.coverage = coverage_of(plan.manifest);
  record.details = details_of(request, result);
}

}  // namespace

PartialResult restore_partial(Context& context, const PartialRequest& request) {
  PartialResult result;
  const RestoreRequest& restore = request.restore;
  result.restored.record =
      logged_restore(context, {restore.backup.id, "partial", restore.into, restore.reason},
                     [&](RestoreRecord& record) { carry_out(context, request, result, record); });
  return result;
}

}  // namespace bkp
