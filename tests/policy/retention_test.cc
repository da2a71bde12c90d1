#include "policy/retention.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace bkp {
namespace {

using std::chrono::days;
using std::chrono::hours;

const TimePoint kNow = parse_rfc3339("2026-11-20T05:00:00Z");

RetentionBackup dump_of(std::string id, days age, std::vector<RetentionCopy> copies) {
  RetentionBackup backup;
  backup.id = std::move(id);
  backup.subject = "shop";
  backup.created_at = kNow - age;
  backup.copies = std::move(copies);
  return backup;
}

RetentionRules local_30_cloud_365() {
  RetentionRules rules;
  rules.storages = {{"local", {{BackupType::full_database, {days(30), 0}}}},
                    {"r2", {{BackupType::full_database, {days(365), 0}}}}};
  return rules;
}

const CopyDecision& of(const std::vector<CopyDecision>& plan, const std::string& backup,
                       const std::string& storage) {
  const auto found = std::find_if(plan.begin(), plan.end(), [&](const CopyDecision& decision) {
    return decision.backup == backup && decision.storage == storage;
  });
  REQUIRE(found != plan.end());
  return *found;
}

bool removes(const std::vector<CopyDecision>& plan, const std::string& backup,
             const std::string& storage) {
  return !of(plan, backup, storage).keep;
}

// A history of several subjects with chains, holds, damage and holes, as no plan would make it.
struct History {
  std::vector<RetentionBackup> backups;
  RetentionRules rules;
};

History random_history(std::mt19937& random) {
  const auto below = [&random](int limit) {
    return std::uniform_int_distribution<int>(0, limit - 1)(random);
  };
  History history;
  const std::vector<std::string> names = {"local", "r2", "b2"};
  for (const std::string& name : names) {
    StorageRetention storage{name, {}};
    for (const BackupType type : {BackupType::full_database, BackupType::base}) {
      if (below(8) == 0) continue;
      Keep keep;
      if (below(8) != 0) keep.age = days(below(60) + 1);
      keep.last = static_cast<unsigned>(below(3));
      storage.keep[type] = keep;
    }
    history.rules.storages.push_back(std::move(storage));
  }
  if (below(2) == 0) history.rules.verified_grace = days(below(10));
  const int count = below(40);
  for (int i = 0; i < count; ++i) {
    RetentionBackup backup;
    backup.id = std::to_string(i);
    backup.type = below(3) == 0 ? BackupType::base : BackupType::full_database;
    backup.subject = std::string(1, static_cast<char>('a' + below(3)));
    backup.created_at = kNow - hours(below(24 * 120) - 24);
    backup.verified = below(3) == 0;
    backup.held = below(12) == 0;
    if (backup.type == BackupType::base && i > 0 && below(2) == 0)
      backup.needs.push_back(std::to_string(below(i)));
    for (const std::string& name : names)
      if (below(4) != 0) backup.copies.push_back({name, below(5) != 0});
    history.backups.push_back(std::move(backup));
  }
  return history;
}

struct Checked {
  const History& history;
  const std::vector<CopyDecision> plan = plan_retention(history.backups, history.rules, kNow);

  bool kept(const RetentionBackup& backup, const std::string& storage) const {
    return of(plan, backup.id, storage).keep;
  }
  const Keep* rule(const StorageRetention& storage, const RetentionBackup& backup) const {
    const auto found = storage.keep.find(backup.type);
    return found == storage.keep.end() ? nullptr : &found->second;
  }
  bool in_time(const RetentionBackup& backup, const Keep* keep) const {
    if (backup.held || keep == nullptr || !keep->age) return true;
    const Seconds grace = backup.verified ? history.rules.verified_grace : Seconds{0};
    return kNow - backup.created_at < *keep->age + grace;
  }
  // Good copies of the same subject in a storage that are newer.
  unsigned newer_good(const RetentionBackup& backup, const std::string& storage,
                      bool verified_only) const {
    unsigned count = 0;
    for (const RetentionBackup& other : history.backups)
      if (other.type == backup.type && other.subject == backup.subject &&
          other.created_at > backup.created_at && (!verified_only || other.verified))
        for (const RetentionCopy& copy : other.copies)
          if (copy.good && copy.storage == storage) ++count;
    return count;
  }
};

bool good_in(const RetentionBackup& backup, const std::string& storage) {
  return std::any_of(backup.copies.begin(), backup.copies.end(),
                     [&](const auto& copy) { return copy.good && copy.storage == storage; });
}

bool same_times(const History& history) {
  std::set<TimePoint> times;
  for (const RetentionBackup& backup : history.backups) times.insert(backup.created_at);
  return times.size() != history.backups.size();
}

}  // namespace

TEST_CASE("whatever the history, what is promised stays") {
  const unsigned seed = GENERATE(take(600, random(0U, 1U << 30)));
  std::mt19937 random(seed);
  const History history = random_history(random);
  if (same_times(history)) return;
  const Checked checked{history};
  INFO("seed " << seed);
  for (const RetentionBackup& backup : history.backups) {
    bool wanted_somewhere = false;
    bool had_good = false;
    bool has_good = false;
    for (const StorageRetention& storage : history.rules.storages) {
      const Keep* rule = checked.rule(storage, backup);
      wanted_somewhere = wanted_somewhere || checked.in_time(backup, rule);
      if (good_in(backup, storage.storage)) {
        had_good = true;
        has_good = has_good || checked.kept(backup, storage.storage);
        const unsigned newer = checked.newer_good(backup, storage.storage, false);
        if (newer == 0 || (rule != nullptr && newer < rule->last))
          CHECK(checked.kept(backup, storage.storage));
        if (backup.verified && checked.newer_good(backup, storage.storage, true) == 0)
          CHECK(checked.kept(backup, storage.storage));
      }
      for (const RetentionCopy& copy : backup.copies) {
        if (copy.storage != storage.storage) continue;
        if (checked.in_time(backup, rule)) CHECK(checked.kept(backup, storage.storage));
        if (!checked.kept(backup, storage.storage)) continue;
        for (const std::string& id : backup.needs)
          for (const RetentionBackup& needed : history.backups)
            if (needed.id == id)
              for (const RetentionCopy& its : needed.copies)
                if (its.storage == storage.storage) CHECK(checked.kept(needed, storage.storage));
      }
    }
    if (wanted_somewhere && had_good) CHECK(has_good);
  }
}

TEST_CASE("whatever the history, what nothing keeps is due") {
  const unsigned seed = GENERATE(take(600, random(0U, 1U << 30)));
  std::mt19937 random(seed);
  const History history = random_history(random);
  if (same_times(history)) return;
  const Checked checked{history};
  INFO("seed " << seed);
  for (const RetentionBackup& backup : history.backups)
    for (const StorageRetention& storage : history.rules.storages) {
      const auto here =
          std::find_if(backup.copies.begin(), backup.copies.end(),
                       [&](const RetentionCopy& copy) { return copy.storage == storage.storage; });
      if (here == backup.copies.end()) continue;
      const Keep* rule = checked.rule(storage, backup);
      const bool needed = std::any_of(
          history.backups.begin(), history.backups.end(), [&](const RetentionBackup& other) {
            return std::find(other.needs.begin(), other.needs.end(), backup.id) !=
                   other.needs.end();
          });
      const unsigned newer = checked.newer_good(backup, storage.storage, false);
      const bool last = newer == 0 || (rule != nullptr && newer < rule->last) ||
                        (backup.verified && checked.newer_good(backup, storage.storage, true) == 0);
      bool others_lack_it = false;
      for (const StorageRetention& other : history.rules.storages)
        others_lack_it = others_lack_it || !good_in(backup, other.storage);
      if (checked.in_time(backup, rule) || needed || (here->good && (last || others_lack_it)))
        continue;
      CHECK_FALSE(checked.kept(backup, storage.storage));
    }
}

TEST_CASE("a copy goes when its storage's own time is over, and stays in the others") {
  const auto plan = plan_retention(
      {dump_of("old", days(31), {{"local"}, {"r2"}}), dump_of("new", days(1), {{"local"}, {"r2"}})},
      local_30_cloud_365(), kNow);
  CHECK(removes(plan, "old", "local"));
  CHECK_FALSE(removes(plan, "old", "r2"));
  CHECK(describe(of(plan, "old", "local")) == "31 d old, kept for 30 d");
  CHECK(describe(of(plan, "old", "r2")) == "31 d old of 365 d");
}

TEST_CASE("backups failed for longer than the period: the last good one stays") {
  const auto plan = plan_retention({dump_of("last", days(400), {{"local"}, {"r2"}}),
                                    dump_of("before", days(401), {{"local"}, {"r2"}})},
                                   local_30_cloud_365(), kNow);
  CHECK_FALSE(removes(plan, "last", "local"));
  CHECK_FALSE(removes(plan, "last", "r2"));
  CHECK(of(plan, "last", "r2").reason == KeepReason::last_good);
  CHECK(removes(plan, "before", "local"));
  CHECK(removes(plan, "before", "r2"));
}

TEST_CASE("damaged backups do not count as the last good one, nor among keep_last") {
  RetentionRules rules = local_30_cloud_365();
  rules.storages[0].keep[BackupType::full_database].last = 2;
  const auto plan = plan_retention(
      {dump_of("a", days(43), {{"local"}}), dump_of("b", days(42), {{"local"}}),
       dump_of("c", days(41), {{"local"}}), dump_of("d", days(40), {{"local", false}})},
      {{rules.storages[0]}, Seconds{0}}, kNow);
  CHECK(removes(plan, "a", "local"));
  CHECK_FALSE(removes(plan, "b", "local"));
  CHECK_FALSE(removes(plan, "c", "local"));
  CHECK(removes(plan, "d", "local"));
}

TEST_CASE("each database has a last good copy of its own") {
  RetentionBackup other = dump_of("other", days(50), {{"local"}});
  other.subject = "billing";
  const auto plan = plan_retention(
      {other, dump_of("a", days(45), {{"local"}}), dump_of("b", days(1), {{"local"}})},
      {{local_30_cloud_365().storages[0]}, Seconds{0}}, kNow);
  CHECK_FALSE(removes(plan, "other", "local"));
  CHECK(removes(plan, "a", "local"));
}

TEST_CASE("a full that an incremental needs stays with it, through the whole chain") {
  std::vector<RetentionBackup> chain;
  for (int i = 0; i < 4; ++i) {
    RetentionBackup backup = dump_of(std::to_string(i), days(12 - i), {{"local"}});
    backup.type = BackupType::base;
    if (i > 0) backup.needs.push_back(std::to_string(i - 1));
    chain.push_back(std::move(backup));
  }
  chain.back().held = true;
  RetentionRules rules;
  rules.storages = {{"local", {{BackupType::base, {days(8), 0}}}}};
  const auto plan = plan_retention(chain, rules, kNow);
  for (const CopyDecision& decision : plan) CHECK(decision.keep);
  CHECK(of(plan, "0", "local").reason == KeepReason::needed);
  CHECK(of(plan, "0", "local").because_of == "1");
}

TEST_CASE("names that begin again after pg_upgrade do not make new backups old") {
  // Timeline 00000001 of the new generation sorts before 00000007 of the old one: only time counts.
  RetentionBackup upgraded = dump_of("base_000000010000000000000002", days(1), {{"local"}});
  RetentionBackup old = dump_of("base_000000070000004200000002", days(20), {{"local"}});
  upgraded.type = old.type = BackupType::base;
  RetentionRules rules;
  rules.storages = {{"local", {{BackupType::base, {days(8), 1}}}}};
  const auto plan = plan_retention({upgraded, old}, rules, kNow);
  CHECK_FALSE(removes(plan, upgraded.id, "local"));
  CHECK(removes(plan, old.id, "local"));
}

TEST_CASE("a local copy stays while the cloud that should keep the backup has none") {
  const auto newest = dump_of("new", days(1), {{"local"}, {"r2"}});
  SECTION("it was never there") {
    const auto plan =
        plan_retention({dump_of("old", days(31), {{"local"}}), newest}, local_30_cloud_365(), kNow);
    CHECK(of(plan, "old", "local").reason == KeepReason::only_copy);
    CHECK(describe(of(plan, "old", "local")) ==
          "storage 'r2' is to keep this backup and has no good copy of it");
  }
  SECTION("it is damaged there") {
    const auto plan = plan_retention({dump_of("old", days(31), {{"local"}, {"r2", false}}), newest},
                                     local_30_cloud_365(), kNow);
    CHECK_FALSE(removes(plan, "old", "local"));
  }
  SECTION("the cloud's time is over as well") {
    const auto plan = plan_retention({dump_of("old", days(366), {{"local"}}), newest},
                                     local_30_cloud_365(), kNow);
    CHECK(removes(plan, "old", "local"));
  }
}

TEST_CASE("a verified backup is kept for the grace longer") {
  RetentionBackup verified = dump_of("verified", days(33), {{"local"}});
  verified.verified = true;
  RetentionRules rules{{local_30_cloud_365().storages[0]}, days(7)};
  RetentionBackup newest = dump_of("new", days(1), {{"local"}});
  newest.verified = true;
  CHECK(of(plan_retention({verified, newest}, rules, kNow), "verified", "local").reason ==
        KeepReason::grace);
  verified.created_at = kNow - days(38);
  CHECK(removes(plan_retention({verified, newest}, rules, kNow), "verified", "local"));
}

TEST_CASE("a backup from the future is young") {
  const auto plan = plan_retention(
      {dump_of("future", days(-400), {{"local"}}), dump_of("old", days(31), {{"local"}, {"r2"}})},
      local_30_cloud_365(), kNow);
  CHECK(of(plan, "future", "local").reason == KeepReason::young);
}

TEST_CASE("copies in a storage without rules are nobody's to remove, nor to rely on") {
  const auto plan = plan_retention({dump_of("old", days(31), {{"local"}, {"gone"}}),
                                    dump_of("new", days(1), {{"local"}, {"r2"}})},
                                   local_30_cloud_365(), kNow);
  CHECK(plan.size() == 3);
  CHECK(of(plan, "old", "local").reason == KeepReason::only_copy);
}

TEST_CASE("sync brings what a storage's rules keep and it has not, the newest first") {
  RetentionBackup removed = dump_of("removed", days(5), {{"local"}, {"r2", false, true}});
  RetentionBackup held = dump_of("held", days(400), {{"r2"}});
  held.held = true;
  const auto plan = plan_sync({dump_of("old", days(31), {{"local", false}, {"r2"}}),
                               dump_of("young", days(20), {{"local", false}, {"r2"}}), removed,
                               held, dump_of("lost", days(3), {{"local", false}, {"r2", false}}),
                               dump_of("new", days(1), {{"local"}})},
                              local_30_cloud_365(), kNow);
  CHECK(plan == std::vector<LackingCopy>{{"new", "r2"}, {"young", "local"}, {"held", "local"}});
}

TEST_CASE("the newest backup of a subject goes everywhere, however old it is") {
  const auto plan = plan_sync({dump_of("last", days(400), {{"r2"}})}, local_30_cloud_365(), kNow);
  CHECK(plan == std::vector<LackingCopy>{{"last", "local"}});
}

TEST_CASE("what sync would bring, cleanup would keep there") {
  const unsigned seed = GENERATE(take(300, random(0U, 1U << 30)));
  std::mt19937 random(seed);
  History history = random_history(random);
  if (same_times(history)) return;
  INFO("seed " << seed);
  for (const LackingCopy& copy : plan_sync(history.backups, history.rules, kNow))
    for (RetentionBackup& backup : history.backups) {
      if (backup.id != copy.backup) continue;
      std::erase_if(backup.copies, [&](const auto& old) { return old.storage == copy.storage; });
      backup.copies.push_back({copy.storage, true});
    }
  CHECK(plan_sync(history.backups, history.rules, kNow).empty());
  // Bringing all of them changes no storage's mind about those that were there before.
  const auto plan = plan_retention(history.backups, history.rules, kNow);
  for (const CopyDecision& decision : plan)
    if (!decision.keep) {
      History without = history;
      for (RetentionBackup& backup : without.backups)
        if (backup.id == decision.backup)
          std::erase_if(backup.copies,
                        [&](const auto& old) { return old.storage == decision.storage; });
      for (const LackingCopy& again : plan_sync(without.backups, without.rules, kNow))
        CHECK_FALSE(again == LackingCopy{decision.backup, decision.storage});
    }
}

}  // namespace bkp
