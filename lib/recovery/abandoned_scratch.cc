#include "recovery/abandoned_scratch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "pg/connection.h"
#include "pg/database_properties.h"
#include "recovery/restore_server.h"
#include "recovery/scratch_database.h"
#include "recovery/server_lock.h"

namespace bkp {
namespace {

constexpr std::size_t kDigits = 16;

// Not a database that a person named alike.
bool is_scratch(const std::string& name) {
  return name.size() == kScratchPrefix.size() + kDigits && name.starts_with(kScratchPrefix) &&
         name.find_first_not_of("0123456789abcdef", kScratchPrefix.size()) == std::string::npos;
}

}  // namespace

std::vector<std::string> drop_abandoned_scratch(const Config& config) {
  PgConnection server(restore_conninfo(config, "postgres"));
  std::vector<std::string> dropped;
  for (const PgRow& row : server.query("SELECT datname FROM pg_database ORDER BY 1")) {
    const std::string name = row.at(0).value();
    if (!is_scratch(name)) continue;
    try {
      const ServerLock lock(server, name, "a run is at work in it");
      drop_database(server, name);
      dropped.push_back(name);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::locked) throw;
    }
  }
  return dropped;
}

}  // namespace bkp
