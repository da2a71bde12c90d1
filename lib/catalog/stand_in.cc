#include "catalog/stand_in.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <limits>
#include <system_error>

#include "catalog/migrations.h"

namespace bkp {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".db";

std::string prefix_of(const std::string& cluster) { return cluster + "-unsent-"; }

class StandIn final : public SqlDatabase {
 public:
  StandIn(const std::function<std::unique_ptr<SqlDatabase>()>& open, StandInOptions options)
      : options_(std::move(options)) {
    try {
      real_ = open();
    } catch (const CatalogUnreachable& reason) {
      switch_over(reason);
    }
  }

  std::vector<SqlRow> query(std::string_view statement, std::span<const SqlValue> values) override {
    std::vector<SqlRow> rows;
    reaching([&](SqlDatabase& database) { rows = database.query(statement, values); });
    return rows;
  }
  void transaction(const std::function<void()>& work) override {
    reaching([&](SqlDatabase& database) { database.transaction(work); });
  }
  bool has_table(std::string_view name) override {
    bool found = false;
    reaching([&](SqlDatabase& database) { found = database.has_table(name); });
    return found;
  }
  std::string describe() const override { return real_ ? real_->describe() : options_.name; }

 private:
  template <typename Work>
  void reaching(const Work& work) {
    if (real_) try {
        work(*real_);
        return;
      } catch (const CatalogUnreachable& reason) {
        switch_over(reason);
      }
    work(*stand_in_);
  }

  void switch_over(const Error& reason) {
    real_.reset();
    fs::create_directories(options_.file.parent_path());
    stand_in_ = open_sql_database("sqlite:" + options_.file.string());
    migrate(*stand_in_);
    if (options_.switched) options_.switched(reason);
  }

  StandInOptions options_;
  std::unique_ptr<SqlDatabase> real_;
  std::unique_ptr<SqlDatabase> stand_in_;
};

void remove_file(const fs::path& file) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(file.string() + suffix, ignored);
}

bool is_running(std::string_view name, const std::string& prefix) {
  pid_t pid = 0;
  const char* begin = name.data() + prefix.size();
  const char* end = name.data() + name.size() - kSuffix.size();
  if (std::from_chars(begin, end, pid).ptr != end || pid <= 0) return true;  // not one of ours
  return ::kill(pid, 0) == 0 || errno != ESRCH;
}

}  // namespace

fs::path stand_in_file(const fs::path& state_dir, const std::string& cluster) {
  return state_dir / (prefix_of(cluster) + std::to_string(::getpid()) + std::string(kSuffix));
}

std::unique_ptr<SqlDatabase> with_stand_in(
    const std::function<std::unique_ptr<SqlDatabase>()>& open, StandInOptions options) {
  return std::make_unique<StandIn>(open, std::move(options));
}

std::size_t hand_over(const fs::path& file, Catalog& to) {
  std::size_t count = 0;
  {
    const Catalog from(open_sql_database("sqlite:" + file.string()));
    BackupFilter all;
    all.include_deleted = true;
    constexpr std::size_t kAll = std::numeric_limits<std::int64_t>::max();
    to.transaction([&] {
      count = 0;
      for (const BackupRecord& backup : from.backups(all)) {
        const auto known = to.backup(backup.id);
        if (known && known->status == BackupStatus::deleted) continue;
        to.put_backup(backup);
        ++count;
      }
      for (const RestoreRecord& restore : from.restores(kAll)) to.put_restore(restore);
      for (const AlertRecord& alert : from.alerts({})) to.put_alert(alert);
      for (const RunRecord& run : from.runs(kAll)) to.put_run(run), ++count;
    });
  }
  remove_file(file);
  return count;
}

std::vector<fs::path> left_stand_ins(const fs::path& state_dir, const std::string& cluster) {
  std::vector<fs::path> left;
  const std::string prefix = prefix_of(cluster);
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(state_dir, none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(kSuffix) && !is_running(name, prefix))
      left.push_back(entry.path());
  }
  return left;
}

}  // namespace bkp
