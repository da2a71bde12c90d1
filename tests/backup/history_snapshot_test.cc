#include "backup/history_snapshot.h"

#include <catch2/catch.hpp>

#include "base/fd.h"
#include "repo/heartbeat.h"
#include "support/memory_storage.h"

using namespace bkp;
using bkp::test::MemoryStorage;

namespace {

class FixedClock final : public Clock {
 public:
  TimePoint now() const override { return time; }
  TimePoint time = parse_rfc3339("2026-11-20T02:00:00Z");
};

// A host with a catalog of its own, two storages and a key.
struct Host {
  Host() {
    config.cluster = "shop";
    config.state_dir = directory.path();
    const ClusterFile mark{1, "shop", Uuid::random(), {}, {}};
    for (const char* name : {"local", "cloud"}) repository.write_cluster_file(name, mark);
  }
  void ran(const char* id) {
    RunRecord run;
    run.id = id;
    run.command = "dump";
    run.host = host_name();
    run.started_at = run.finished_at.emplace(clock.time);
    catalog.put_run(run);
  }
  void backed_up() {
    BackupRecord backup;
    backup.id = Uuid::random().text();
    backup.cluster = "shop";
    backup.status = BackupStatus::completed;
    backup.created_at = clock.time;
    catalog.put_backup(backup);
  }
  std::vector<std::string> snapshots(const MemoryStorage& storage) const {
    std::vector<std::string> names;
    for (const std::string& name : storage.names())
      if (name.starts_with("shop/catalog/")) names.push_back(name);
    return names;
  }
  // What a new catalog takes from the storages.
  HistoryTaken taken(Catalog& into) {
    Context other{config, repository, into, clock, log, "", ""};
    return take_history(other);
  }
  Catalog new_catalog() {
    return Catalog(open_sql_database("sqlite:" + (directory.path() / "new.db").string()));
  }

  TemporaryDirectory directory{"/tmp", "bkp-history-"};
  Config config;
  FixedClock clock;
  NullLog log;
  WorkerPool pool;
  std::shared_ptr<MemoryStorage> local = std::make_shared<MemoryStorage>("local");
  std::shared_ptr<MemoryStorage> cloud = std::make_shared<MemoryStorage>("cloud");
  Repository repository{"shop",
                        {{"local", local}, {"cloud", cloud}},
                        KeyRing({generate_master_key(KeyState::active, clock.now())}),
                        Suite::aes_256_gcm,
                        pool,
                        clock};
  Catalog catalog{open_sql_database("sqlite:" + (directory.path() / "catalog.db").string())};
  Context context{config, repository, catalog, clock, log, "", ""};
};

constexpr const char* kFirst = "0d9c1f2e-0000-4000-8000-000000000001";
constexpr const char* kSecond = "0d9c1f2e-0000-4000-8000-000000000002";

}  // namespace

TEST_CASE("the name of a history tells time and host, and nothing else is one") {
  const Uuid id = *Uuid::parse(kFirst);
  const TimePoint time = parse_rfc3339("2026-11-20T02:00:00Z");
  const std::string name = history_name("shop", time, "db_1.example", id);
  CHECK(name == "shop/catalog/catalog_20261120_020000.000000_db-1-example_0d9c1f2e.jsonl.gz.enc");
  CHECK(history_host(name) == "db-1-example");
  for (const char* other :
       {"", "shop/catalog/catalog_20261120_020000.000000_db_1_0d9c1f2e.jsonl.gz.enc",
        "shop/catalog/catalog_20261120_020000.000000_0d9c1f2e.jsonl.gz.enc",
        "shop/catalog/catalog_.gz",
        "shop/catalog/catalog_20261120_020000.000000_db_0d9c1f2e.jsonl.gz.enc.tmp"})
    CHECK(history_host(other).empty());
}

TEST_CASE("a history is written when backups have changed or a day has passed, else not") {
  Host host;
  host.backed_up();
  keep_history(host.context);
  CHECK(host.snapshots(*host.local).size() == 1);
  CHECK(host.snapshots(*host.local) == host.snapshots(*host.cloud));
  host.clock.time += std::chrono::hours(23);
  keep_history(host.context);
  CHECK(host.snapshots(*host.local).size() == 1);
  host.clock.time += std::chrono::hours(1);
  keep_history(host.context);
  CHECK(host.snapshots(*host.local).size() == 2);
  host.clock.time += std::chrono::minutes(1);
  host.backed_up();
  keep_history(host.context);
  CHECK(host.snapshots(*host.local).size() == 3);
}

TEST_CASE("the newest three of a host stay, and every one of other hosts") {
  Host host;
  const std::string other = history_name("shop", host.clock.time, "other", Uuid::random());
  host.local->put(other, to_bytes("another's"));
  std::string first;
  for (int i = 0; i < 5; ++i) {
    host.clock.time += std::chrono::hours(25);
    keep_history(host.context);
    if (i == 0) first = host.snapshots(*host.cloud).at(0);
  }
  CHECK(host.snapshots(*host.cloud).size() == kHistorySnapshots);
  CHECK(host.snapshots(*host.local).size() == kHistorySnapshots + 1);
  CHECK_FALSE(host.snapshots(*host.cloud).at(0) == first);
}

TEST_CASE("a new catalog takes the history from any one storage") {
  Host host;
  host.ran(kFirst);
  keep_history(host.context);
  const std::string name = host.snapshots(*host.local).at(0);
  Catalog fresh = host.new_catalog();

  SECTION("from both, once") {
    CHECK(host.taken(fresh).records == 1);
    CHECK(fresh.runs(10).at(0).id == kFirst);
    CHECK(host.taken(fresh).records == 0);
  }
  SECTION("from the second where the first is damaged, which is told") {
    host.local->put(name, to_bytes("not a container"));
    const HistoryTaken taken = host.taken(fresh);
    CHECK(taken.records == 1);
    REQUIRE(taken.problems.size() == 1);
    CHECK_THAT(taken.problems[0], Catch::StartsWith("history '" + name + "' in storage 'local': "));
  }
  SECTION("from an older one where the newest opens nowhere") {
    host.clock.time += std::chrono::hours(25);
    host.ran(kSecond);
    keep_history(host.context);
    const std::string newest = host.snapshots(*host.local).at(1);
    for (MemoryStorage* storage : {host.local.get(), host.cloud.get()})
      storage->put(newest, to_bytes("not a container"));
    const HistoryTaken taken = host.taken(fresh);
    CHECK(taken.records == 1);
    CHECK(taken.problems.size() == 2);
  }
  SECTION("never from one that was renamed, as from another cluster or time") {
    const auto stored = read_object(*host.local, name);
    REQUIRE(stored);
    for (MemoryStorage* storage : {host.local.get(), host.cloud.get()}) {
      storage->put("shop/catalog/catalog_20301120_020000.000000_db9_0d9c1f2e.jsonl.gz.enc",
                   *stored);
      const std::vector<std::string> names{name};
      storage->remove(names);
    }
    const HistoryTaken taken = host.taken(fresh);
    CHECK(taken.records == 0);
    REQUIRE(taken.problems.size() == 2);
    CHECK_THAT(taken.problems[0], Catch::Contains("its header is of another object"));
  }
}

TEST_CASE("every byte of a stored history is bound: what is changed or cut does not open") {
  Host host;
  host.ran(kFirst);
  keep_history(host.context);
  const std::string name = host.snapshots(*host.local).at(0);
  const Bytes stored = *read_object(*host.local, name);
  const std::vector<std::string> names{name};
  host.cloud->remove(names);
  Catalog fresh = host.new_catalog();
  for (std::size_t i = 0; i < stored.size(); i += 7) {
    Bytes changed = stored;
    changed[i] ^= std::byte{0x10};
    host.local->put(name, changed);
    INFO("byte " << i);
    CHECK(host.taken(fresh).problems.size() == 1);
    host.local->put(name, Bytes(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(i)));
    CHECK(host.taken(fresh).problems.size() == 1);
  }
  CHECK(fresh.runs(10).empty());
}
