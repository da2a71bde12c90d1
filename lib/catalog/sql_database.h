// One SQL database, as little of it as the catalog needs: SQLite or PostgreSQL behind the same
// methods. Statements use $1, $2 … and the SQL that both understand.
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

#include "base/error.h"

namespace bkp {

using SqlValue = std::variant<std::nullptr_t, std::int64_t, double, std::string>;
using SqlRow = std::vector<SqlValue>;

// The file is no database, or not whole: building it anew is the cure.
class CatalogDamaged : public Error {
 public:
  using Error::Error;
};

// Its server does not answer, or not any more: nothing of the change under way is there.
class CatalogUnreachable : public Error {
 public:
  using Error::Error;
};

// Not thread-safe: one connection, one thread. Throws Error(failed) naming the database and the
// cause; a catalog that another process is writing to is waited for.
class SqlDatabase {
 public:
  virtual ~SqlDatabase() = default;
  // Runs one statement and returns its rows (none for those that return none).
  virtual std::vector<SqlRow> query(std::string_view statement,
                                    std::span<const SqlValue> values) = 0;
  // All of `work` or nothing; takes the write lock at once, so that nothing read inside changes.
  // A statement that fails inside undoes all of it. `work` may run again from its beginning.
  // Inside of another one it joins that: if either throws, both are undone.
  virtual void transaction(const std::function<void()>& work) = 0;
  virtual bool has_table(std::string_view name) = 0;
  // For messages: "'/var/lib/bkp/catalog.db'", no password.
  virtual std::string describe() const = 0;
};

enum class SqlAccess { write, read };

// "sqlite:/path", or what postgres_database.h takes. For writing it is created, mode 0600, when it
// is not there (its directory is not); for reading no right to write is needed, not even to its
// directory. Throws Error(usage) for another scheme or a relative path, Error(failed) for a file
// that is no catalog or was cut to nothing.
std::unique_ptr<SqlDatabase> open_sql_database(std::string_view url,
                                               SqlAccess access = SqlAccess::write);

}  // namespace bkp
