#include "catalog/postgres_database.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "pg/connection.h"
#include "pg/conninfo.h"

namespace bkp {

namespace {

using std::chrono::milliseconds;

// Whoever makes or changes the schema, or several rows as one, holds this lock of the database.
constexpr std::int64_t kWriters = 0x626b7063617461;  // "bkpcata"
constexpr int kTries = 6;                            // of a change that others are in the way of
constexpr std::chrono::seconds kPatience{60};        // for one answer
// Between tries to get a lost connection back: a server that is restarted is there by then.
constexpr milliseconds kPauses[] = {milliseconds(0), milliseconds(500), milliseconds(1000),
                                    milliseconds(2000), milliseconds(4000)};

void pause(milliseconds time) {
  for (; time > milliseconds(0); time -= milliseconds(50)) {
    check_interrupt();
    std::this_thread::sleep_for(milliseconds(50));
  }
}

// A firewall forgets idle connections in minutes, and TCP alone asks after two hours.
std::string with_keepalives(const std::string& url) {
  Conninfo conninfo(url);
  for (const auto& [keyword, value] : {std::pair<const char*, const char*>("keepalives_idle", "60"),
                                       {"keepalives_interval", "10"},
                                       {"keepalives_count", "6"},
                                       {"tcp_user_timeout", "30000"}})
    if (!conninfo.get(keyword)) conninfo.set(keyword, value);
  return conninfo.text();
}

std::string described(const std::string& url) {
  const Conninfo conninfo(url);
  const std::string user = conninfo.get("user").value_or("");
  const std::string host = conninfo.get("host").value_or(conninfo.get("hostaddr").value_or(""));
  const std::string port = conninfo.get("port").value_or("");
  const bool socket = host.starts_with('/');
  std::string text = "'postgresql://" + (user.empty() ? "" : user + "@");
  if (!socket) text += host;
  if (!port.empty()) text += ":" + port;
  text += "/" + conninfo.get("dbname").value_or("");
  if (socket) text += "?host=" + host;
  return text + "'";
}

std::optional<std::string> to_parameter(const SqlValue& value) {
  struct Writer {
    std::optional<std::string> operator()(std::nullptr_t) const { return std::nullopt; }
    std::optional<std::string> operator()(std::int64_t number) const {
      return std::to_string(number);
    }
    std::optional<std::string> operator()(double number) const { return fmt::format("{}", number); }
    std::optional<std::string> operator()(const std::string& text) const { return text; }
  };
  return std::visit(Writer{}, value);
}

template <typename Number>
SqlValue parsed(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(ErrorCode::failed, "the catalog's server gave '" + text + "' for a number");
  return number;
}

SqlValue to_value(const std::optional<std::string>& text, unsigned type) {
  if (!text) return nullptr;
  switch (type) {
    case 20:  // int8
    case 21:  // int2
    case 23:  // int4
      return parsed<std::int64_t>(*text);
    case 700:  // float4
    case 701:  // float8
      return parsed<double>(*text);
    default:
      return *text;
  }
}

// Sorts and compares as SQLite does, whatever the database's locale.
std::string with_collation(std::string_view statement) {
  std::string text(statement);
  if (!text.starts_with("CREATE TABLE") && !text.starts_with("ALTER TABLE")) return text;
  constexpr std::string_view kText = " TEXT", kCollation = " COLLATE \"C\"";
  for (std::size_t at = 0; (at = text.find(kText, at)) != std::string::npos;) {
    at += kText.size();
    text.insert(at, kCollation);
  }
  return text;
}

class PostgresDatabase final : public SqlDatabase {
 public:
  PostgresDatabase(const std::string& url, std::function<void(const std::string&)> tell,
                   SqlAccess access)
      : conninfo_(with_keepalives(url)), name_(described(url)), tell_(std::move(tell)) {
    try {
      connect();
    } catch (const PgError& error) {
      fail(error);
    }
    if (access == SqlAccess::write) make_schema();
  }

  std::vector<SqlRow> query(std::string_view statement, std::span<const SqlValue> values) override {
    if (depth_ > 0) return run(statement, values);
    std::vector<SqlRow> rows;
    persistently([&] { rows = run(statement, values); });
    return rows;
  }

  void transaction(const std::function<void()>& work) override {
    if (depth_ > 0)
      join(work);
    else
      persistently([&] { attempt(work); });
  }

  bool has_table(std::string_view name) override {
    const SqlValue value{std::string(name)};
    return !query("SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'bkp' AND tablename = $1",
                  {&value, 1})
                .empty();
  }

  std::string describe() const override { return name_; }

 private:
  void connect() {
    connection_.emplace(conninfo_);
    connection_->answer_within(kPatience);
    // pg_temp last: else anyone's temporary table would come before the catalog's.
    connection_->execute(
        "SET search_path = bkp, pg_temp; SET lock_timeout = '30s'; SET extra_float_digits = 1;"
        "SET default_transaction_isolation = 'read committed'; SET client_min_messages = error;"
        // As durable as SQLite's; where it is on in a stronger form, that stays.
        "SELECT pg_catalog.set_config('synchronous_commit', 'on', false)"
        " WHERE pg_catalog.current_setting('synchronous_commit') = 'off'");
  }

  void make_schema() {
    const auto is_there = [this] {
      return !query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'bkp'", {}).empty();
    };
    if (is_there()) return;
    transaction([&] {
      if (is_there()) return;
      const std::string encoding =
          std::get<std::string>(query("SHOW server_encoding", {}).at(0).at(0));
      if (encoding != "UTF8")
        throw Error(
            ErrorCode::usage,
            fmt::format("the catalog's database {} has encoding {}, not UTF8", name_, encoding),
            "make one with: CREATE DATABASE bkp ENCODING 'UTF8' TEMPLATE template0;");
      query("CREATE SCHEMA bkp", {});
    });
  }

  std::vector<SqlRow> run(std::string_view statement, std::span<const SqlValue> values) {
    std::vector<std::optional<std::string>> parameters;
    for (const SqlValue& value : values) parameters.push_back(to_parameter(value));
    try {
      const PgTypedRows found = connection_->query_typed(with_collation(statement), parameters);
      std::vector<SqlRow> rows;
      for (const PgRow& fields : found.rows) {
        SqlRow& row = rows.emplace_back();
        for (std::size_t i = 0; i < fields.size(); ++i)
          row.push_back(to_value(fields[i], found.types[i]));
      }
      return rows;
    } catch (...) {
      broken_ = true;  // PostgreSQL's COMMIT would undo it all and call that success
      throw;
    }
  }

  // Takes the lock of all that change several rows as one, then keeps single statements of others
  // out of the tables; readers are not kept out.
  void begin() {
    connection_->execute(
        fmt::format("BEGIN; SELECT pg_catalog.pg_advisory_xact_lock({})", kWriters));
    if (tables_.empty())
      for (const PgRow& row : connection_->query(
               "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(tablename), ', ' ORDER BY"
               " tablename) FROM pg_catalog.pg_tables WHERE schemaname = 'bkp'"))
        tables_ = row.at(0).value_or("");
    if (!tables_.empty())
      connection_->execute("LOCK TABLE " + tables_ + " IN SHARE ROW EXCLUSIVE MODE");
  }

  void attempt(const std::function<void()>& work) {
    ++depth_;
    broken_ = false;
    try {
      begin();
      work();
      if (broken_)
        throw Error(ErrorCode::failed, "a part of a change to catalog " + name_ + " failed");
      connection_->execute("COMMIT");
    } catch (...) {
      --depth_;
      roll_back();
      throw;
    }
    --depth_;
  }

  void roll_back() noexcept {
    const InterruptShield shield;
    try {
      connection_->execute("ROLLBACK");
    } catch (const std::exception&) {
      connection_.reset();  // which undoes it too
    }
  }

  void join(const std::function<void()>& work) {
    try {
      work();
    } catch (...) {
      broken_ = true;
      throw;
    }
  }

  template <typename Work>
  void persistently(const Work& work) {
    for (int tries = 1;; ++tries) {
      try {
        if (!connection_) connect();
        work();
        return;
      } catch (const PgError& error) {
        check_interrupt();
        if (error.is_lost())
          reconnect(error);
        else if (!error.is_conflict() || tries >= kTries)
          fail(error);
        if (tries >= kTries) fail(error);
      }
    }
  }

  void reconnect(const PgError& reason) {
    connection_.reset();
    for (std::size_t i = 0;; ++i) {
      pause(kPauses[i]);
      try {
        connect();
        if (tell_)
          tell_(fmt::format("the connection to catalog {} was lost and is there again: {}", name_,
                            reason.message()));
        return;
      } catch (const PgError& error) {
        connection_.reset();
        check_interrupt();
        if (i + 1 == std::size(kPauses)) fail(error);
      }
    }
  }

  std::string grants() const {
    const std::string role = connection_ ? connection_->quote_identifier(connection_->user()) : "…";
    const std::string database =
        connection_ ? connection_->quote_identifier(connection_->database()) : "…";
    return fmt::format(
        "in that database, as its owner: CREATE SCHEMA IF NOT EXISTS bkp AUTHORIZATION {0};\n"
        "or GRANT CREATE ON DATABASE {1} TO {0}; where the schema is another role's, use that role "
        "on every host",
        role, database);
  }

  [[noreturn]] void fail(const PgError& error) const {
    const auto told = [&](std::string_view what, std::string hint) {
      return Error(ErrorCode::failed, fmt::format("{} {}: {}", what, name_, error.message()),
                   std::move(hint));
    };
    const std::string& state = error.sqlstate();
    if (error.is_lost())
      throw CatalogUnreachable(
          ErrorCode::failed, fmt::format("cannot reach the catalog {}: {}", name_, error.message()),
          error.hint());
    if (state == "42501") throw told("cannot use the catalog", grants());
    if (state == "55P03")
      throw told("cannot get hold of the catalog",
                 "another session has been changing it for 30 seconds: see pg_stat_activity there");
    if (state == "25006")
      throw told("cannot write the catalog",
                 "is it a standby? name the primary, or add target_session_attrs=read-write");
    if (state == "53100")
      throw told("cannot write the catalog", "free space on the disk of its server");
    throw told("cannot use the catalog", error.hint());
  }

  std::string conninfo_;
  std::string name_;
  std::function<void(const std::string&)> tell_;
  std::optional<PgConnection> connection_;
  std::string tables_;  // as LOCK TABLE takes them
  int depth_ = 0;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<SqlDatabase> open_postgres_database(
    const std::string& url, std::function<void(const std::string& line)> tell, SqlAccess access) {
  return std::make_unique<PostgresDatabase>(url, std::move(tell), access);
}

}  // namespace bkp
