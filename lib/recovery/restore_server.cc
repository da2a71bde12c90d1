#include "recovery/restore_server.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "base/error.h"
#include "pg/conninfo.h"

namespace bkp {
namespace {

void require_roles(PgConnection& server, const DatabaseProperties& properties,
                   const Manifest& manifest) {
  const std::vector<std::string> missing = missing_roles(server, properties, manifest.owners);
  if (missing.empty()) return;
  std::string cure;
  for (const std::string& role : missing)
    cure +=
        fmt::format("{}CREATE ROLE {};", cure.empty() ? "" : " ", server.quote_identifier(role));
  throw Error(
      ErrorCode::failed,
      fmt::format("the server lacks roles that the backup needs: {}", fmt::join(missing, ", ")),
      "--globals makes them as they were, if the backup has them ('bkp show'); or as a "
      "superuser: " +
          cure);
}

void require_membership(PgConnection& server, const DatabaseProperties& properties,
                        const Manifest& manifest) {
  const std::vector<std::string> foreign = foreign_roles(server, properties, manifest.owners);
  if (foreign.empty()) return;
  throw Error(ErrorCode::failed,
              fmt::format("role '{}' can give nothing to roles that own parts of the backup: {}",
                          server.query_value("SELECT current_user"), fmt::join(foreign, ", ")),
              "name a superuser, or a member of them, in conninfo of [restore] of the "
              "configuration");
}

}  // namespace

std::string restore_conninfo(const Config& config, const std::string& database) {
  if (!config.restore_conninfo.empty())
    return with_keyword(config.restore_conninfo, "dbname", database);
  Conninfo conninfo(config.conninfo);
  conninfo.set("dbname", database);
  const std::string host = conninfo.get("host").value_or("");
  const passwd* user = ::getpwuid(::geteuid());
  if ((host.empty() || host.front() == '/') && user != nullptr) {
    conninfo.set("user", user->pw_name);
    conninfo.remove("password");
  }
  return conninfo.text();
}

void require_database_name(const std::string& name) {
  if (name.empty() || name.size() > 63)
    throw Error(ErrorCode::usage,
                fmt::format("'{}' cannot be a database's name: 1 to 63 bytes", name));
}

void require_owners(PgConnection& server, const DatabaseProperties& properties,
                    const Manifest& manifest) {
  require_roles(server, properties, manifest);
  require_membership(server, properties, manifest);
}

}  // namespace bkp
