// One SQL database, as little of it as the catalog needs: SQLite now, PostgreSQL behind the same
// five methods. Statements use $1, $2 … and the SQL that both understand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bkp {

using SqlValue = std::variant<std::nullptr_t, std::int64_t, double, std::string>;
using SqlRow = std::vector<SqlValue>;

// Not thread-safe: one connection, one thread. Throws Error(failed) naming the database and the
// cause; a catalog that another process is writing to is waited for.
class SqlDatabase {
 public:
  virtual ~SqlDatabase() = default;
  // Runs one statement and returns its rows (none for those that return none).
  virtual std::vector<SqlRow> query(std::string_view statement,
                                    std::span<const SqlValue> values) = 0;
  // All of `work` or nothing; takes the write lock at once, so that nothing read inside changes.
  // Inside of another one it joins that: if either throws, both are undone.
  virtual void transaction(const std::function<void()>& work) = 0;
  virtual bool has_table(std::string_view name) = 0;
  // For messages: "'/var/lib/bkp/catalog.db'", no password.
  virtual std::string describe() const = 0;
};

// "sqlite:/path" (created, mode 0600, when it is not there; its directory is not). Throws
// Error(usage) for another scheme or a relative path.
std::unique_ptr<SqlDatabase> open_sql_database(std::string_view url);

}  // namespace bkp
