#include "backup/sweep.h"

#include <catch2/catch.hpp>

#include "base/fd.h"
#include "repo/heartbeat.h"
#include "repo/layout.h"
#include "support/memory_storage.h"

using namespace bkp;
using bkp::test::MemoryStorage;

namespace {

struct Host {
  Host() {
    config.cluster = "shop";
    repository.write_cluster_file("local", {1, "shop", Uuid::random(), {}, {}});
  }
  // What a killed run of this host's name left, and its stem.
  std::string leave(const Uuid& id) {
    const TimePoint now = clock.now();
    const std::string stem = backup_stem("shop", BackupType::full_database, now, id);
    const Heartbeat heartbeat{id, BackupType::full_database, Codec::gzip, host_name(), 1, now, now};
    storage->put(heartbeat_name(stem), to_bytes(encode_heartbeat(heartbeat)));
    storage->put(data_name(stem, BackupType::full_database, Codec::gzip, 1), to_bytes("data"));
    return stem;
  }
  void know(const Uuid& id, std::string cluster = "shop") {
    BackupRecord backup;
    backup.id = id.text();
    backup.cluster = std::move(cluster);
    backup.status = BackupStatus::in_progress;
    backup.host = host_name();
    backup.created_at = clock.now();
    catalog.put_backup(backup);
  }
  void run() { sweep(context, BackupType::full_database, {"local"}); }
  std::size_t objects() const { return storage->names().size() - 1; }  // but cluster.json

  TemporaryDirectory directory{"/tmp", "bkp-sweep-"};
  Config config;
  SystemClock clock;
  NullLog log;
  WorkerPool pool;
  std::shared_ptr<MemoryStorage> storage = std::make_shared<MemoryStorage>("local");
  Repository repository{"shop",
                        {{"local", storage}},
                        KeyRing({generate_master_key(KeyState::active, clock.now())}),
                        Suite::aes_256_gcm,
                        pool,
                        clock};
  Catalog catalog{open_sql_database("sqlite:" + (directory.path() / "catalog.db").string())};
  Context context{config, repository, catalog, clock, log, "", ""};
};

}  // namespace

TEST_CASE("a sweep removes what this host's killed run left, and nothing of its clone's") {
  Host host;
  const Uuid id = Uuid::random();
  host.leave(id);
  host.run();
  CHECK(host.objects() == 2);
  host.know(id);
  host.run();
  CHECK(host.objects() == 0);
}

TEST_CASE("a backup whose manifest cannot be read now keeps the heartbeat that leads to it") {
  Host host;
  const Uuid id = Uuid::random();
  host.know(id);
  const std::string stem = host.leave(id);
  host.storage->put(manifest_name(stem), to_bytes("not to be read"));
  host.run();
  CHECK(host.objects() == 3);
}

TEST_CASE("a damaged heartbeat keeps nothing from being swept, and stays for its day") {
  Host host;
  const Uuid id = Uuid::random();
  host.know(id);
  host.leave(id);
  host.storage->put(
      "shop/full_database/2026/11/backup_full_database_20261120_020000_00000000"
      ".inprogress.json",
      to_bytes("not to be read"));
  host.run();
  CHECK(host.objects() == 1);
}

TEST_CASE("nothing is swept from a storage of another cluster of that name") {
  Host host;
  const Uuid id = Uuid::random();
  host.know(id);
  host.leave(id);
  host.repository.cluster_uuid();
  host.repository.write_cluster_file("local", {1, "shop", Uuid::random(), {}, {}});
  host.run();
  CHECK(host.objects() == 2);
}

TEST_CASE("only this cluster's runs are closed as killed in a catalog of several") {
  Host host;
  const Uuid ours = Uuid::random();
  const Uuid theirs = Uuid::random();
  host.know(ours);
  host.know(theirs, "other");
  close_interrupted(host.context, BackupType::full_database);
  CHECK(host.catalog.backup(ours.text())->status == BackupStatus::failed);
  CHECK(host.catalog.backup(theirs.text())->status == BackupStatus::in_progress);
}
