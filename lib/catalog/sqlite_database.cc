#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "catalog/postgres_database.h"
#include "catalog/sql_database.h"
#include "config/conninfo.h"

namespace bkp {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{30};

constexpr const char* kCure =
    "'bkp catalog rebuild' makes it anew from the manifests in the storages: no backup is lost";

Error cannot_open(const std::filesystem::path& path, int error) {
  std::string hint;
  if (error == ENOENT)
    hint = "create the directory '" + path.parent_path().string() + "', or let 'bkp init' do it";
  return {ErrorCode::failed,
          "cannot open the catalog '" + path.string() + "': " + std::strerror(error), hint};
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

// A catalog appears with a first page in it, so that one of 0 bytes is never a new one. SQLite
// would make it readable to others; those beside it (-wal, -shm) get its mode.
void create_file(const std::filesystem::path& path) {
  const std::filesystem::path making = path.string() + ".new";
  const Fd file(::open(making.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) throw cannot_open(path, errno);
  // Whoever waited here finds what the first one made.
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw cannot_open(path, errno);
  if (is_there(path)) return;
  for (const char* suffix : {"-wal", "-shm", "-journal"})  // of one that was killed here
    ::unlink((making.string() + suffix).c_str());
  if (::ftruncate(file.get(), 0) != 0) throw cannot_open(path, errno);
  SQLite::Database(making.string(), SQLite::OPEN_READWRITE).exec("PRAGMA journal_mode = WAL");
  if (::link(making.c_str(), path.c_str()) != 0 && errno != EEXIST) throw cannot_open(path, errno);
  ::unlink(making.c_str());
  sync_directory(path.parent_path());
}

void refuse_cut_to_nothing(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0)
    throw CatalogDamaged(ErrorCode::failed,
                         "the catalog is damaged: '" + path.string() + "': it was cut to 0 bytes",
                         kCure);
}

bool is_empty_or_none(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || status.st_size == 0;
}

// The file as a URI that SQLite reads without locks and without files beside it.
std::string immutable_uri(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (const char c : path.string())
    uri += c == '%'   ? std::string("%25")
           : c == '?' ? std::string("%3f")
           : c == '#' ? std::string("%23")
                      : std::string(1, c);
  return uri + "?immutable=1";
}

class SqliteDatabase final : public SqlDatabase {
 public:
  SqliteDatabase(std::filesystem::path path, SqlAccess access) : path_(std::move(path)) {
    guarded([&] {
      if (access == SqlAccess::write && !is_there(path_)) create_file(path_);
    });
    refuse_cut_to_nothing(path_);
    guarded([&] {
      if (access == SqlAccess::write)
        open_for_writing();
      else
        open_for_reading();
    });
  }

  std::vector<SqlRow> query(std::string_view statement, std::span<const SqlValue> values) override {
    std::vector<SqlRow> rows;
    guarded([&] {
      SQLite::Statement prepared(*database_, std::string(statement));
      for (std::size_t i = 0; i < values.size(); ++i) bind(prepared, i + 1, values[i]);
      while (prepared.executeStep()) rows.push_back(read(prepared));
    });
    return rows;
  }

  void transaction(const std::function<void()>& work) override {
    if (depth_ > 0) {
      join(work);
      return;
    }
    guarded([&] { database_->exec("BEGIN IMMEDIATE"); });
    broken_ = false;
    ++depth_;
    try {
      work();
      if (broken_)
        throw Error(ErrorCode::failed, "a part of a change to catalog " + describe() + " failed");
      guarded([&] { database_->exec("COMMIT"); });
    } catch (...) {
      --depth_;
      // Fails harmlessly where SQLite has rolled back on its own (a full disk).
      database_->tryExec("ROLLBACK");
      throw;
    }
    --depth_;
  }

  bool has_table(std::string_view name) override {
    const SqlValue value{std::string(name)};
    return !query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", {&value, 1})
                .empty();
  }

  std::string describe() const override { return "'" + path_.string() + "'"; }

 private:
  void join(const std::function<void()>& work) {
    try {
      work();
    } catch (...) {
      broken_ = true;
      throw;
    }
  }

  void open_for_writing() {
    database_.emplace(path_.string(), SQLite::OPEN_READWRITE);
    ::sqlite3_busy_handler(database_->getHandle(), &SqliteDatabase::on_busy, this);
    database_->exec("PRAGMA foreign_keys = ON");
    switch_to_wal();
    database_->exec("PRAGMA synchronous = FULL");
  }

  // Readers of a catalog in WAL mode need files beside it. Where none can be made (no right, no
  // room) and none is there, nobody writes to it either.
  void open_for_reading() {
    constexpr const char* kLook = "SELECT count(*) FROM sqlite_master";
    database_.emplace(path_.string(), SQLite::OPEN_READONLY);
    ::sqlite3_busy_handler(database_->getHandle(), &SqliteDatabase::on_busy, this);
    const int code = database_->tryExec(kLook);
    const int kind = code & 0xff;
    const bool unwritable = kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY ||
                            ::sqlite3_system_errno(database_->getHandle()) == ENOSPC;
    if (unwritable && is_empty_or_none(path_.string() + "-wal")) {
      database_.emplace(immutable_uri(path_), SQLite::OPEN_READONLY | SQLite::OPEN_URI);
      database_->exec(kLook);
    } else if (code != SQLITE_OK) {
      throw SQLite::Exception(database_->getHandle(), code);
    }
  }

  // While another connection opens or closes the file, the switch is refused without asking the
  // busy handler. Once made it is kept in the file.
  void switch_to_wal() {
    for (int tries = 0;; ++tries) {
      if (database_->tryExec("PRAGMA journal_mode = WAL") == SQLITE_OK) return;
      const int code = database_->getErrorCode();
      if (code != SQLITE_BUSY || on_busy(this, tries) == 0)
        throw SQLite::Exception(database_->getHandle(), code);
    }
  }

  // Called before every further try to get a lock; 0 gives up.
  static int on_busy(void* self, int tries) {
    auto& waited_since = static_cast<SqliteDatabase*>(self)->waited_since_;
    if (tries == 0) waited_since = steady_clock::now();
    if (interrupted() || steady_clock::now() - waited_since > kPatience) return 0;
    std::this_thread::sleep_for(milliseconds(std::min(1 + 2 * tries, 50)));
    return 1;
  }

  static void bind(SQLite::Statement& statement, std::size_t number, const SqlValue& value) {
    const std::string name = "$" + std::to_string(number);
    std::visit(
        [&](const auto& typed) {
          using T = std::decay_t<decltype(typed)>;
          if constexpr (std::is_same_v<T, std::nullptr_t>)
            statement.bind(name.c_str());
          else
            statement.bind(name.c_str(), typed);
        },
        value);
  }

  static SqlRow read(SQLite::Statement& statement) {
    SqlRow row;
    for (int i = 0; i < statement.getColumnCount(); ++i) {
      const SQLite::Column column = statement.getColumn(i);
      if (column.isNull())
        row.emplace_back(nullptr);
      else if (column.isInteger())
        row.emplace_back(column.getInt64());
      else if (column.isFloat())
        row.emplace_back(column.getDouble());
      else
        row.emplace_back(column.getString());
    }
    return row;
  }

  template <typename Work>
  void guarded(const Work& work) const {
    try {
      work();
    } catch (const SQLite::Exception& failure) {
      check_interrupt();
      throw translated(failure);
    }
  }

  // One that is read-only while the catalog is not stays behind when the catalog was for a while.
  std::string cure_of_readonly() const {
    for (const char* suffix : {"-shm", "-wal"}) {
      const std::string beside = path_.string() + suffix;
      if (::access(path_.c_str(), W_OK) == 0 && ::access(beside.c_str(), W_OK) != 0 &&
          errno == EACCES)
        return "chmod u+w '" + beside + "'";
    }
    return "run bkp as the user that owns the file and its directory '" +
           path_.parent_path().string() + "'";
  }

  Error translated(const SQLite::Exception& failure) const {
    const auto error = [&](std::string_view what, std::string hint) {
      return Error(ErrorCode::failed, std::string(what) + " " + describe() + ": " + failure.what(),
                   std::move(hint));
    };
    const bool full = database_ && ::sqlite3_system_errno(database_->getHandle()) == ENOSPC;
    switch (full ? SQLITE_FULL : failure.getErrorCode()) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return error("cannot get hold of the catalog",
                     "another process has been changing it for 30 seconds: see 'fuser " +
                         path_.string() + "'");
      case SQLITE_FULL:
        return error("cannot write the catalog",
                     "free space on the file system of '" + path_.parent_path().string() + "'");
      case SQLITE_READONLY:
      case SQLITE_CANTOPEN:
      case SQLITE_PERM:
      case SQLITE_AUTH:
        return error("cannot open the catalog for writing", cure_of_readonly());
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        throw CatalogDamaged(ErrorCode::failed,
                             "the catalog is damaged: " + describe() + ": " + failure.what(),
                             kCure);
      default:
        return error("cannot use the catalog", "");
    }
  }

  std::filesystem::path path_;
  std::optional<SQLite::Database> database_;
  int depth_ = 0;
  bool broken_ = false;
  steady_clock::time_point waited_since_{};
};

}  // namespace

std::unique_ptr<SqlDatabase> open_sql_database(std::string_view url, SqlAccess access) {
  if (is_postgresql_url(url)) return open_postgres_database(std::string(url), {}, access);
  constexpr std::string_view kScheme = "sqlite:";
  // The rest of another URL may hold a password.
  if (!url.starts_with(kScheme))
    throw Error(ErrorCode::usage,
                "catalog url '" + std::string(url.substr(0, url.find(':'))) + ":…' is not known",
                "write sqlite:/path, such as sqlite:/var/lib/bkp/catalog.db, or postgresql://…");
  std::filesystem::path path(url.substr(kScheme.size()));
  if (!path.is_absolute() || !path.has_filename())
    throw Error(ErrorCode::usage,
                "catalog url '" + std::string(url) + "' does not name a file by its whole path",
                "write sqlite:/path, such as sqlite:/var/lib/bkp/catalog.db");
  return std::make_unique<SqliteDatabase>(path.lexically_normal(), access);
}

}  // namespace bkp
