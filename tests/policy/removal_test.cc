#include "policy/removal.h"

#include <catch2/catch.hpp>

using namespace bkp;

namespace {

BackupRecord backup(const std::string& id, int day, const std::string& database = "shop") {
  BackupRecord record;
  record.id = id;
  record.cluster = "main";
  record.status = BackupStatus::verified;
  record.database = database;
  record.created_at = TimePoint(std::chrono::hours(24 * day));
  for (const char* storage : {"local", "r2"}) {
    CopyRecord copy;
    copy.storage = storage;
    copy.state = CopyState::good;
    record.copies.push_back(copy);
  }
  return record;
}

Removal plan(const std::vector<BackupRecord>& known, const BackupRecord& asked,
             std::vector<std::string> storages = {}, LastCopy last = LastCopy::keep) {
  return plan_removal(known, {{asked}, std::move(storages), {"local", "r2", "b2"}, last}).at(0);
}

}  // namespace

TEST_CASE("an older backup goes from every storage, and relies on none") {
  const Removal removal = plan({backup("a", 1), backup("b", 2)}, backup("a", 1));
  CHECK(removal.refusal.empty());
  CHECK(removal.storages == std::vector<std::string>{"local", "r2", "b2"});
  CHECK(removal.relies_on.empty());
}

TEST_CASE("the newest good backup of a database keeps a good copy, unless told otherwise") {
  const std::vector<BackupRecord> known = {backup("a", 1), backup("b", 2), backup("c", 3, "other")};
  CHECK(plan(known, known[1]).refusal.find("newest good backup of 'shop'") != std::string::npos);
  CHECK(plan(known, known[2]).refusal.find("'other'") != std::string::npos);
  CHECK(plan(known, known[1], {"local", "r2"}).refusal.size() > 0);
  CHECK(plan(known, known[1], {}, LastCopy::may_go).refusal.empty());
  const Removal one = plan(known, known[1], {"local"});
  CHECK(one.refusal.empty());
  CHECK(one.relies_on == std::vector<std::string>{"r2"});
}

TEST_CASE("a copy that is not good is no copy to rely on") {
  BackupRecord newest = backup("b", 2);
  newest.copies[1].state = CopyState::damaged;
  CHECK_FALSE(plan({backup("a", 1), newest}, newest, {"local"}).refusal.empty());
  newest.copies[0].state = CopyState::missing;
  CHECK(plan({backup("a", 1), newest}, newest).refusal.empty());
  CHECK_FALSE(plan({backup("a", 1), newest}, backup("a", 1)).refusal.empty());
}

TEST_CASE("a failed or another type's backup does not make an older one dispensable") {
  BackupRecord failed = backup("b", 2);
  failed.status = BackupStatus::failed;
  BackupRecord base = backup("c", 3);
  base.type = BackupType::base;
  CHECK_FALSE(plan({backup("a", 1), failed, base}, backup("a", 1)).refusal.empty());
  CHECK(plan({backup("a", 1), failed, base}, failed).refusal.empty());
}

TEST_CASE("what is held or being written is refused whatever is said") {
  BackupRecord held = backup("a", 1);
  held.held = true;
  CHECK(plan({held, backup("b", 2)}, held, {}, LastCopy::may_go).refusal == "it is held");
  BackupRecord running = backup("a", 1);
  running.status = BackupStatus::in_progress;
  CHECK_FALSE(plan({running, backup("b", 2)}, running, {}, LastCopy::may_go).refusal.empty());
}

TEST_CASE("a backup named twice is removed once, and copies that are gone are left alone") {
  BackupRecord one = backup("a", 1);
  one.copies[0].state = CopyState::deleted;
  const auto all =
      plan_removal({one, backup("b", 2)}, {{one, one}, {}, {"local", "r2"}, LastCopy::keep});
  REQUIRE(all.size() == 1);
  CHECK(all[0].storages == std::vector<std::string>{"r2"});
}
