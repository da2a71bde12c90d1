// A cluster with storages, a catalog and a clock of its own, where days pass as a test says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backup/store.h"
#include "base/fd.h"
#include "crypto/digest.h"
#include "repo/repository.h"
#include "storage/leftovers.h"
#include "storage/local.h"
#include "stream/memory_stream.h"
#include "support/memory_storage.h"

namespace bkp::test {

class SetClock final : public Clock {
 public:
  explicit SetClock(TimePoint now) : now_(now) {}
  TimePoint now() const override { return now_; }
  void set(TimePoint now) { now_ = now; }
  void pass(std::chrono::seconds time) { now_ += time; }

 private:
  TimePoint now_;
};

// A directory of real files whose store tells the time, as a cloud does, by the test's clock.
class ClockedFiles final : public Storage, public KeepsLeftovers {
 public:
  ClockedFiles(std::string name, std::filesystem::path root, const Clock& clock)
      : files_(std::move(name), std::move(root)), clock_(clock) {}
  std::unique_ptr<Sink> create(std::string_view name, CreateOptions options) override {
    return files_.create(name, std::move(options));
  }
  std::unique_ptr<Source> open(std::string_view name, Range range) override {
    return files_.open(name, range);
  }
  std::vector<Object> list(std::string_view prefix) override { return files_.list(prefix); }
  std::vector<Outcome> remove(std::span<const std::string> names) override {
    if (fail_every == 0 || ++removals_ % fail_every != 0) return files_.remove(names);
    std::vector<Outcome> outcomes;
    for (const std::string& name : names)
      outcomes.push_back({name, Error(ErrorCode::failed, "cannot remove '" + name + "'")});
    return outcomes;
  }
  StorageInfo info() override {
    StorageInfo info = files_.info();
    info.clock = clock_.now();
    return info;
  }
  std::vector<Leftover> leftovers(std::string_view prefix) override {
    return files_.leftovers(prefix);
  }
  std::optional<Error> discard(const Leftover& leftover) override {
    return files_.discard(leftover);
  }

  int fail_every = 0;  // each so many removals fails

 private:
  LocalStorage files_;
  const Clock& clock_;
  int removals_ = 0;
};

inline Faults unreachable() {
  Faults faults;
  faults.unreachable = true;
  return faults;
}

inline Faults failing_removal() {
  Faults faults;
  faults.fail_remove = true;
  return faults;
}

class TextStream final : public BackupStream {
 public:
  TextStream(std::string text, std::string database)
      : text_(to_bytes(text)), database_(std::move(database)) {}
  std::size_t read(std::span<std::byte> out) override { return text_.read(out); }
  void describe(Manifest& manifest) const override { manifest.database = database_; }

 private:
  MemorySource text_;
  std::string database_;
};

struct World {
  explicit World(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      memory.push_back(std::make_shared<MemoryStorage>(name));
      storages.push_back({name, memory.back()});
    }
    begin();
  }
  // Real files below `root`.
  World(const std::vector<std::string>& names, const std::filesystem::path& root) {
    for (const std::string& name : names) {
      std::filesystem::create_directories(root / name);
      storages.push_back({name, std::make_shared<ClockedFiles>(name, root / name, clock)});
    }
    begin();
  }

  void begin() {
    config.cluster = "shop";
    config.conninfo = "host=/nowhere dbname=shop";
    config.verify_after = VerifyAfter::none;
    for (const NamedStorage& storage : storages) {
      StorageConfig entry;
      entry.name = storage.name;
      entry.path = "/" + storage.name;
      const auto days = std::chrono::days(storage.name == "local" ? 30 : 365);
      entry.keep.dump.age = days;
      config.storages.push_back(entry);
      config.read_order.push_back(storage.name);
    }
    repository =
        std::make_unique<Repository>("shop", storages, keys, Suite::aes_256_gcm, pool, clock);
    const Uuid uuid = Uuid::random();
    for (const NamedStorage& storage : storages)
      repository->write_cluster_file(storage.name, {1, "shop", uuid, {}, {}});
    tell_time();
  }

  // The stores' clocks and this host's are one.
  void tell_time() {
    for (const auto& storage : memory) storage->set_clock(clock.now());
  }
  void pass(std::chrono::seconds time) {
    clock.pass(time);
    tell_time();
  }

  BackupRecord dump(const std::string& database = "shop") {
    BackupSubject subject;
    subject.database = database;
    subject.compression = {Codec::zstd, 1};
    subject.title = "database '" + database + "'";
    Context context = this->context();
    begin_run(context, BackupType::full_database);
    const auto result = store_backup(context, subject, [&](const Manifest&) {
      return std::make_unique<TextStream>("rows of " + database, database);
    });
    if (result.error) throw *result.error;
    return result.backup;
  }

  Context context() { return {config, *repository, *catalog, clock, log, "test", "run"}; }

  // Names of the data objects in a storage.
  std::vector<std::string> data_in(const std::string& storage) const {
    std::vector<std::string> names;
    for (const Object& object : repository->storage(storage).list("shop/"))
      if (object.name.find(".dump.") != std::string::npos) names.push_back(object.name);
    return names;
  }
  bool holds(const std::string& storage, const BackupRecord& backup) const {
    for (const std::string& name : data_in(storage))
      if (name.ends_with(backup.filename)) return true;
    return false;
  }
  void forget_catalog() {
    catalog.reset();
    std::filesystem::remove(catalog_file());
    std::filesystem::remove(catalog_file().string() + "-wal");
    std::filesystem::remove(catalog_file().string() + "-shm");
    catalog = std::make_unique<Catalog>(open_sql_database("sqlite:" + catalog_file().string()));
  }
  std::filesystem::path catalog_file() const { return directory.path() / "catalog.db"; }

  TemporaryDirectory directory{std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp",
                               "bkp-world-"};
  SetClock clock{parse_rfc3339("2026-11-20T05:00:00Z")};
  Config config;
  NullLog log;
  WorkerPool pool{1};
  KeyRing keys{{generate_master_key(KeyState::active, SystemClock().now())}};
  std::vector<std::shared_ptr<MemoryStorage>> memory;
  std::vector<NamedStorage> storages;
  std::unique_ptr<Repository> repository;
  std::unique_ptr<Catalog> catalog =
      std::make_unique<Catalog>(open_sql_database("sqlite:" + catalog_file().string()));
};

}  // namespace bkp::test
