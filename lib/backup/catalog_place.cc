#include "backup/catalog_place.h"

#include "base/interrupt.h"
#include "config/conninfo.h"
#include "pg/dump_access.h"

namespace bkp {
namespace {

// Two servers that were one (a copy, a former primary) have one identifier; a role that may not ask
// for it is told them apart by their start.
bool are_one(PgConnection& one, PgConnection& other) {
  const std::string first = system_identifier(one);
  const std::string second = system_identifier(other);
  if (!first.empty() && !second.empty()) return first == second;
  constexpr std::string_view kStart =
      "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text";
  return one.query_value(kStart) == other.query_value(kStart);
}

}  // namespace

std::optional<std::string> catalog_on(PgConnection& server, const Config& config) {
  if (!is_postgresql_url(config.catalog_url)) return std::nullopt;
  try {
    PgConnection catalog(config.catalog_url);
    if (are_one(server, catalog)) return catalog.database();
  } catch (const PgError&) {
    check_interrupt();
  }
  return std::nullopt;
}

Error catalog_inside(const std::string& database) {
  return {ErrorCode::usage,
          "the catalog is in database '" + database + "', which is to be backed up",
          "a restore would put an old catalog over the new one: give [catalog] url another "
          "database, best on another server"};
}

}  // namespace bkp
