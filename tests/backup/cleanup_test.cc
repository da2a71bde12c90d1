#include "backup/cleanup.h"

#include <catch2/catch.hpp>
#include <map>

#include "backup/sync.h"
#include "backup/world.h"
#include "repo/layout.h"

using namespace bkp;
using namespace bkp::test;
using std::chrono::days;
using std::chrono::hours;

namespace {

CleanupResult clean(World& world) {
  Context context = world.context();
  const CleanupPlan plan = plan_cleanup(context, {});
  REQUIRE(plan.refusal == "");
  return cleanup(context, plan);
}

std::string refusal(World& world) {
  Context context = world.context();
  return plan_cleanup(context, {}).refusal;
}

std::size_t errors(World& world) { return clean(world).errors.size(); }

}  // namespace

TEST_CASE("cleanup removes manifest, data and row state of what is due, storage by storage") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(days(31));
  const BackupRecord newest = world.dump();
  const CleanupResult result = clean(world);
  CHECK(result.errors.empty());
  CHECK(result.storages.at(0).storage == "local");
  CHECK(result.storages.at(0).deleted == 1);
  CHECK(result.storages.at(0).bytes == old.size_bytes);
  CHECK(result.storages.at(1).deleted == 0);
  CHECK_FALSE(world.holds("local", old));
  CHECK(world.holds("r2", old));
  CHECK(world.holds("local", newest));
  CHECK(world.catalog->backup(old.id)->status == BackupStatus::completed);
  for (const std::string& name : world.memory[0]->names())
    CHECK(name.find(old.id.substr(0, 8)) == std::string::npos);

  world.pass(days(340));
  world.dump();
  CHECK(clean(world).records == 1);
  CHECK_FALSE(world.holds("r2", old));
  CHECK(world.catalog->backup(old.id)->status == BackupStatus::deleted);
  world.pass(days(91));
  clean(world);
  CHECK_FALSE(world.catalog->backup(old.id));
}

TEST_CASE("where backups have stopped, what there is stays for ever") {
  World world({"local", "r2"});
  const BackupRecord last = world.dump();
  world.pass(days(3000));
  clean(world);
  CHECK(world.holds("local", last));
  CHECK(world.holds("r2", last));
}

TEST_CASE(
    "an empty catalog over full storages: the first run removes nothing, the next what is due") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(days(31));
  const BackupRecord newest = world.dump();
  world.forget_catalog();
  CHECK(refusal(world) == "the catalog did not know 1 of the 2 backups in the storages");
  CHECK(world.holds("local", old));
  CHECK(world.catalog->backup(newest.id));
  CHECK(clean(world).errors.empty());
  CHECK_FALSE(world.holds("local", old));
  CHECK(world.holds("local", newest));
}

TEST_CASE("a backup that another host has just made is no reason to keep what is due") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(days(31));
  const BackupRecord fresh = world.dump();
  world.catalog->remove_backup(fresh.id);
  CHECK(clean(world).errors.empty());
  CHECK_FALSE(world.holds("local", old));
  CHECK(world.holds("local", fresh));
}

TEST_CASE("a clock a year ahead, or behind, of a storage's removes nothing") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(days(1));
  world.dump();
  world.clock.pass(days(365));
  CHECK_THAT(refusal(world),
             Catch::StartsWith("this host's clock is 365 d ahead of that of storage"));
  CHECK(world.holds("local", old));
  world.clock.pass(-days(730));
  CHECK_THAT(refusal(world), Catch::Contains("behind"));
}

TEST_CASE("with no other clock to compare with, nothing is removed") {
  const TemporaryDirectory root("/tmp", "bkp-clockless-");
  World world({"local"}, root.path());
  world.storages[0].storage = std::make_shared<LocalStorage>("local", root.path() / "local");
  world.repository = std::make_unique<Repository>("shop", world.storages, world.keys,
                                                  Suite::aes_256_gcm, world.pool, world.clock);
  CHECK_THAT(refusal(world), Catch::Contains("tells the time"));
}

TEST_CASE("an unmounted disk, a silent cloud: what relies on it stays, the rest goes") {
  World world({"local", "r2", "b2"});
  const BackupRecord first = world.dump();  // everywhere
  world.memory[2]->set_faults(unreachable());
  const BackupRecord second = world.dump();  // not in b2
  world.memory[2]->set_faults({});
  world.pass(days(31));
  world.dump();
  world.memory[1]->set_faults(unreachable());
  CHECK(errors(world) == 0);
  CHECK_FALSE(world.holds("local", first));  // b2 has it
  CHECK(world.holds("local", second));       // only r2 may have it
  world.memory[1]->set_faults({});
  clean(world);
  CHECK_FALSE(world.holds("local", second));
}

TEST_CASE("a storage that lost its mark is left alone") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(days(31));
  world.dump();
  world.memory[0]->erase(cluster_file_name("shop"));
  clean(world);
  CHECK(world.holds("local", old));
}

TEST_CASE("a failed delete keeps its row, and the next run finishes it") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(days(31));
  world.dump();
  world.memory[0]->set_faults(failing_removal());
  const CleanupResult failed = clean(world);
  CHECK(failed.storages.at(0).failed == 1);
  CHECK_FALSE(failed.errors.empty());
  CHECK(world.holds("local", old));
  world.memory[0]->set_faults({});
  CHECK(errors(world) == 0);
  CHECK_FALSE(world.holds("local", old));
  CHECK(world.catalog->backup(old.id)->status == BackupStatus::completed);
}

TEST_CASE("a held backup stays whatever its age") {
  World world({"local", "r2"});
  BackupRecord old = world.dump();
  world.pass(days(400));
  world.dump();
  old.held = true;
  old.copies.clear();
  world.catalog->put_backup(old);
  clean(world);
  CHECK(world.holds("local", *world.catalog->backup(old.id)));
}

TEST_CASE("a dump that runs on another host meanwhile, and data whose manifests are lost, stay") {
  World world({"local", "r2"});
  world.dump();
  const BackupRecord lost = world.dump();
  const std::string stem = stem_of(lost.copies.front().path);
  for (const auto& storage : world.memory) storage->erase(manifest_name(stem));
  const std::string other =
      backup_stem("shop", BackupType::full_database, world.clock.now(), Uuid::random());
  world.memory[0]->put(other + ".dump.gz.enc", to_bytes("data"));
  world.memory[0]->put(heartbeat_name(other), to_bytes("{}"));
  clean(world);
  CHECK(world.memory[0]->content(other + ".dump.gz.enc"));
  CHECK(world.memory[0]->content(lost.copies.front().path));
}

TEST_CASE("a backup that is in no storage any more is marked and told") {
  World world({"local", "r2"});
  const BackupRecord lost = world.dump();
  world.dump();
  std::map<std::string, Bytes> taken;
  for (const auto& storage : world.memory)
    for (const std::string& name : storage->names())
      if (name.find(lost.id.substr(0, 8)) != std::string::npos) {
        taken[name] = *storage->content(name);
        storage->erase(name);
      }
  CHECK(clean(world).records == 1);
  CHECK(world.catalog->backup(lost.id)->status == BackupStatus::deleted);
  bool told = false;
  for (const AlertRecord& alert : world.catalog->alerts(AlertState::open))
    told = told || (alert.type == "COPY_MISSING" && alert.backup_id == lost.id &&
                    alert.severity == AlertSeverity::critical);
  CHECK(told);
  for (const auto& [name, content] : taken) world.memory[1]->put(name, content);  // it comes back
  clean(world);
  CHECK(world.catalog->backup(lost.id)->status == BackupStatus::completed);
}

TEST_CASE("two cleanups at once do no harm to each other") {
  World world({"local", "r2"});
  const BackupRecord old = world.dump();
  world.pass(days(31));
  const BackupRecord newest = world.dump();
  Context context = world.context();
  const CleanupPlan first = plan_cleanup(context, {});
  const CleanupPlan second = plan_cleanup(context, {});
  CHECK(cleanup(context, first).errors.empty());
  CHECK(cleanup(context, second).errors.empty());
  CHECK_FALSE(world.holds("local", old));
  CHECK(world.holds("local", newest));
  CHECK(world.holds("r2", old));
}

namespace {

// Days of a service: a dump a night but for outages, sometimes verified, cleanup every morning with
// a storage that fails every third delete; then what is there must be exactly the policy.
void live(int count) {
  const TemporaryDirectory root(std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp",
                                "bkp-years-");
  World world({"local", "r2"}, root.path());
  auto& failing = dynamic_cast<ClockedFiles&>(world.repository->storage("local"));
  failing.fail_every = 3;
  world.config.storages[0].keep.dump.last = 3;
  world.config.verified_grace = days(7);
  std::vector<BackupRecord> made;
  for (int day = 0; day < count; ++day) {
    const bool outage = day % 200 >= 120 && day % 200 < 160;
    if (!outage) {
      made.push_back(world.dump());
      if (day % 5 == 0) {
        BackupRecord verified = made.back();
        verified.status = BackupStatus::verified;
        verified.copies.clear();
        world.catalog->put_backup(verified);
        made.back().status = BackupStatus::verified;
      }
    }
    world.pass(hours(1));
    clean(world);
    world.pass(hours(23));
  }
  failing.fail_every = 0;
  world.pass(hours(1));
  CHECK(errors(world) == 0);
  for (std::size_t i = 0; i < made.size(); ++i) {
    const auto age = world.clock.now() - made[i].created_at;
    const bool verified = made[i].status == BackupStatus::verified;
    bool last_verified = verified;
    for (std::size_t j = i + 1; j < made.size(); ++j)
      last_verified = last_verified && made[j].status != BackupStatus::verified;
    const auto grace = verified ? days(7) : days(0);
    const bool newest = made.size() - i <= 3;
    INFO("backup of day " << i << ", age " << age / hours(24));
    CHECK(world.holds("local", made[i]) == (age < days(30) + grace || newest || last_verified));
    CHECK(world.holds("r2", made[i]) ==
          (age < days(365) + grace || i + 1 == made.size() || last_verified));
  }
}

}  // namespace

TEST_CASE("after months of days what remains is exactly the policy") { live(130); }

TEST_CASE("after years of days what remains is exactly the policy", "[.campaign]") { live(760); }
