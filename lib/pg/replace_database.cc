#include "pg/replace_database.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "stream/worker_pool.h"

namespace bkp {
namespace {

// A rename itself waits 5 s for the sessions that are there to end; more come only between two.
constexpr int kAttempts = 3;
constexpr auto kPause = std::chrono::milliseconds(20);

std::string renames(PgConnection& server, const DatabaseReplacement& names) {
  const auto rename = [&](const std::string& from, const std::string& to) {
    return fmt::format("ALTER DATABASE {} RENAME TO {};", server.quote_identifier(from),
                       server.quote_identifier(to));
  };
  return "BEGIN;" + rename(names.name, names.old_name) + rename(names.replacement, names.name) +
         "COMMIT";
}

// By number: the name changes hands, and the sessions of the new database are not to be ended.
class SessionEnder {
 public:
  SessionEnder(PgConnection& server, std::string database)
      : server_(server), database_(std::move(database)) {}

  void end_all() {
    for (const PgRow& row : server_.query(
             "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datid = $1::oid",
             {database_}))
      ended_.insert(row.at(0).value());
  }
  std::size_t ended() const { return ended_.size(); }

  // "1234 (psql, role shop, active)"
  std::string remaining() {
    std::string text;
    for (const PgRow& row : server_.query(R"(
SELECT format('%s (%s)', pid, concat_ws(', ', coalesce(nullif(application_name, ''), backend_type),
              'role ' || usename, state))
FROM pg_stat_activity WHERE datid = $1::oid LIMIT 10)",
                                          {database_}))
      text += (text.empty() ? "" : "; ") + row.at(0).value();
    return text;
  }

 private:
  PgConnection& server_;
  std::string database_;
  std::set<std::string> ended_;
};

// One try; nullopt: it is done.
std::optional<Error> try_renames(PgConnection& renamer, const std::string& statements,
                                 SessionEnder& sessions, WorkerPool& pool) {
  std::optional<Error> failure;
  std::future<Bytes> renamed = pool.submit([&] {
    const InterruptShield shield;
    renamer.execute(statements);
    return Bytes();
  });
  try {
    while (renamed.wait_for(kPause) != std::future_status::ready) sessions.end_all();
  } catch (const Error& error) {
    failure = error.within("cannot end the sessions of the database");
  }
  try {
    renamed.get();
    return std::nullopt;
  } catch (const Error& error) {
    if (!failure) failure = error;
  }
  try {
    renamer.execute("ROLLBACK");
  } catch (const Error&) {
    throw Error(ErrorCode::failed,
                "the connection was lost while databases were renamed: " + failure->message(),
                "all of it happened or nothing did: 'psql -l' shows which");
  }
  return failure;
}

// `query`: names and what cures each.
void add(std::vector<ReplacementObstacle>& found, PgConnection& server, const std::string& name,
         const char* what, std::string_view query) {
  for (const PgRow& row : server.query(query, {name}))
    found.push_back({fmt::format("{} '{}'", what, row.at(0).value()), row.at(1).value()});
}

}  // namespace

std::size_t replace_database(PgConnection& server, const std::string& conninfo,
                             const DatabaseReplacement& names) {
  const InterruptShield shield;
  PgConnection renamer(conninfo);
  renamer.execute("SET lock_timeout = '10s'");
  SessionEnder sessions(
      server, server.query_value("SELECT oid FROM pg_database WHERE datname = $1", {names.name}));
  const std::string statements = renames(server, names);
  WorkerPool pool(1);
  std::optional<Error> failure;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    sessions.end_all();
    failure = try_renames(renamer, statements, sessions, pool);
    if (!failure) return sessions.ended();
  }
  const std::string remaining = sessions.remaining();
  throw Error(ErrorCode::failed,
              fmt::format("database '{}' cannot be renamed: {}{}", names.name, failure->message(),
                          remaining.empty() ? "" : "; sessions that did not end: " + remaining),
              "nothing was changed; end what holds the database, and try again");
}

std::vector<ReplacementObstacle> replacement_obstacles(PgConnection& server,
                                                       const std::string& name) {
  std::vector<ReplacementObstacle> found;
  add(found, server, name, "prepared transaction", R"(
SELECT gid, format('in database %I: COMMIT PREPARED %L; or ROLLBACK PREPARED %2$L;', database, gid)
FROM pg_prepared_xacts WHERE database = $1 ORDER BY prepared)");
  add(found, server, name, "logical replication slot", R"(
SELECT slot_name, format('SELECT pg_drop_replication_slot(%L);', slot_name)
FROM pg_replication_slots WHERE database = $1 ORDER BY 1)");
  add(found, server, name, "subscription", R"(
SELECT subname, format('in database %I: DROP SUBSCRIPTION %I;', datname, subname)
FROM pg_subscription JOIN pg_database AS d ON d.oid = subdbid WHERE datname = $1 ORDER BY 1)");
  if (server
          .query("SELECT FROM pg_database, pg_roles WHERE datname = $1 AND rolname = current_user "
                 "AND (rolsuper OR rolcreatedb AND pg_has_role(datdba, 'USAGE'))",
                 {name})
          .empty())
    found.push_back({fmt::format("role '{}', which may not rename it", server.user()),
                     "name a superuser in conninfo of [restore] of the configuration"});
  else if (server
               .query("SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR "
                      "pg_has_role('pg_signal_backend', 'USAGE'))")
               .empty())
    found.push_back(
        {fmt::format("role '{}', which may not end other sessions", server.user()),
         fmt::format("GRANT pg_signal_backend TO {};", server.quote_identifier(server.user()))});
  return found;
}

}  // namespace bkp
