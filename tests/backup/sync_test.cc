#include "backup/sync.h"

#include <catch2/catch.hpp>

#include "backup/verify.h"
#include "backup/world.h"
#include "repo/layout.h"

using namespace bkp;
using namespace bkp::test;

namespace {

SyncResult bring(World& world, const SyncRequest& request = {}) {
  Context context = world.context();
  return sync(context, request);
}

BackupStatus status(World& world, const BackupRecord& backup) {
  return world.catalog->backup(backup.id)->status;
}

bool same_bytes(World& world, const std::string& name) {
  const auto first = world.memory[0]->content(name);
  for (const auto& storage : world.memory)
    if (storage->content(name) != first) return false;
  return first.has_value();
}

}  // namespace

TEST_CASE("a night without the second storage: sync brings its copies, and the alert ends") {
  World world({"local", "r2"});
  world.memory[1]->set_faults(unreachable());
  const BackupRecord first = world.dump();
  world.pass(std::chrono::hours(24));
  const BackupRecord second = world.dump();
  CHECK(world.catalog->alerts(AlertState::open).size() == 1);
  CHECK(sync_exit_code(bring(world)) == 3);
  world.memory[1]->set_faults({});

  const SyncResult result = bring(world);
  CHECK(sync_exit_code(result) == 0);
  REQUIRE(result.copies.size() == 2);
  CHECK(result.copies[0].backup.id == second.id);  // the newest first
  CHECK(result.copies[0].from == std::vector<std::string>{"local"});
  for (const BackupRecord& backup : {first, second}) {
    CHECK(same_bytes(world, backup.copies.front().path));
    CHECK(same_bytes(world, manifest_name(stem_of(backup.copies.front().path))));
    const BackupRecord now = *world.catalog->backup(backup.id);
    for (const CopyRecord& copy : now.copies) CHECK(copy.state == CopyState::good);
  }
  CHECK(world.catalog->alerts(AlertState::open).empty());
  CHECK(bring(world).copies.empty());
}

TEST_CASE("damaged and missing copies are rebuilt; damage that is met on the way too") {
  World world({"local", "r2", "b2"});
  const BackupRecord backup = world.dump();
  const std::string data = backup.copies.front().path;
  world.memory[0]->flip_byte(data, 200);
  world.memory[1]->erase(data);
  Context context = world.context();
  verify(context, {{*world.catalog->backup(backup.id)}, {"r2"}, CheckDepth::stat});
  const SyncResult result = bring(world);
  REQUIRE(result.copies.size() == 2);
  CHECK(sync_exit_code(result) == 0);
  CHECK(same_bytes(world, data));
  CHECK(status(world, backup) != BackupStatus::failed);
}

TEST_CASE("a copy that no storage has whole is told, and nothing is written") {
  World world({"local", "r2"});
  world.memory[1]->set_faults(unreachable());
  const BackupRecord backup = world.dump();
  world.memory[1]->set_faults({});
  world.memory[0]->flip_byte(backup.copies.front().path, 200);
  const SyncResult result = bring(world);
  CHECK(sync_exit_code(result) == 3);
  REQUIRE(result.copies.size() == 1);
  CHECK_THAT(result.copies[0].error, Catch::Contains("no storage has backup"));
  CHECK_FALSE(world.memory[1]->content(backup.copies.front().path));
  CHECK_FALSE(world.memory[1]->content(manifest_name(stem_of(backup.copies.front().path))));
}

TEST_CASE("what was removed on purpose, or had its time, does not come back") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(std::chrono::days(31));
  world.dump();
  BackupRecord record = *world.catalog->backup(old.id);
  for (const auto& name :
       {old.copies.front().path, manifest_name(stem_of(old.copies.front().path))})
    world.memory[0]->erase(name);
  CHECK(bring(world).copies.empty());  // its time in 'local' is over
  const BackupRecord removed = world.dump();
  world.dump();
  CopyRecord copy = removed.copies.front();
  copy.state = CopyState::deleted;
  for (const auto& name : {copy.path, manifest_name(stem_of(copy.path))})
    world.memory[0]->erase(name);
  world.catalog->put_copy(removed.id, copy);
  CHECK(bring(world).copies.empty());
}

TEST_CASE("a storage that was added later gets what its rules keep, up to the limit of a run") {
  World world({"local", "r2"});
  for (int i = 0; i < 5; ++i) world.dump();
  for (const std::string& name : world.memory[1]->names())
    if (name != cluster_file_name("shop")) world.memory[1]->erase(name);
  for (const BackupRecord& backup : world.catalog->backups({})) {
    BackupRecord known = backup;
    world.catalog->remove_backup(known.id);
    std::erase_if(known.copies, [](const CopyRecord& copy) { return copy.storage == "r2"; });
    world.catalog->put_backup(known);
  }
  SyncRequest some;
  some.limit = 1;
  const SyncResult first = bring(world, some);
  CHECK(first.copies.size() == 1);
  CHECK(first.left == 4);
  CHECK(bring(world).copies.size() == 4);
  CHECK(world.data_in("r2").size() == 5);
}
