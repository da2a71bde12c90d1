// A connection to a PostgreSQL server by libpq.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace bkp {

// Rows of text; nullopt is NULL.
using PgRow = std::vector<std::optional<std::string>>;

// Rows with the type (pg_type.oid) of each column.
struct PgTypedRows {
  std::vector<unsigned> types;
  std::vector<PgRow> rows;
};

// What the server or the connection to it said.
class PgError : public Error {
 public:
  PgError(Error error, std::string sqlstate)
      : Error(std::move(error)), sqlstate_(std::move(sqlstate)) {}
  const std::string& sqlstate() const { return sqlstate_; }  // "42501"; empty: libpq's own words
  // There is no connection (any more), and another try may get one.
  bool is_lost() const;
  // Another transaction was in the way: the same work may succeed now.
  bool is_conflict() const { return sqlstate_ == "40001" || sqlstate_ == "40P01"; }

 private:
  std::string sqlstate_;
};

// Not thread-safe. Throws PgError(failed) with PostgreSQL's own primary message, and its detail and
// hint where it gave them; never the password.
class PgConnection {
 public:
  // Tries each address once, for at most 10 s each unless `conninfo` says connect_timeout.
  // application_name is "bkp"; texts are UTF-8 whatever the database's encoding, or as they are
  // where that is SQL_ASCII.
  explicit PgConnection(const std::string& conninfo);
  ~PgConnection();
  PgConnection(PgConnection&&) noexcept;

  // One statement with text parameters $1 ….
  std::vector<PgRow> query(std::string_view statement, const std::vector<std::string>& values = {});
  // The same where parameters may be NULL and the columns' types matter.
  PgTypedRows query_typed(std::string_view statement,
                          const std::vector<std::optional<std::string>>& values);
  // First column of the first row; throws when there is no row or it is NULL.
  std::string query_value(std::string_view statement, const std::vector<std::string>& values = {});
  // Any number of statements without parameters, results dropped.
  void execute(std::string_view statements);
  // COPY … TO STDOUT: `row` gets each line without its line end. Returns the number of rows.
  std::uint64_t copy_out(std::string_view statement, const std::function<void(ByteView row)>& row);

  // An answer that does not come for so long is a lost connection. Without it, waits for ever.
  void answer_within(std::chrono::seconds patience);

  int server_version() const;  // 150020
  int major() const { return server_version() / 10000; }
  std::string database() const;  // current_database()
  std::string user() const;
  std::string quote_identifier(std::string_view name) const;
  std::string quote_literal(std::string_view text) const;

 private:
  friend class CopyOut;
  friend class CopyIn;
  struct State;
  std::unique_ptr<State> state_;
};

// The conninfo with one keyword set or replaced: for another database on the same server.
std::string with_keyword(const std::string& conninfo, std::string_view keyword,
                         std::string_view value);
// host, port and database for people; no password.
std::string describe_conninfo(const std::string& conninfo);

}  // namespace bkp
