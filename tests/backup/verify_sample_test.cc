#include "backup/verify_sample.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

using namespace bkp;

namespace {

const std::vector<std::string> kBoth{"local", "r2"};

TimePoint minute(int number) { return TimePoint(std::chrono::minutes(number)); }

std::vector<BackupRecord> backups(int count) {
  std::vector<BackupRecord> all;
  for (int i = 0; i < count; ++i) {
    BackupRecord backup;
    backup.id = std::to_string(i);
    for (const std::string& storage : kBoth)
      backup.copies.push_back({storage, "", CopyState::good, 1, "", {}, ""});
    all.push_back(std::move(backup));
  }
  return all;
}

// As an hourly run does: what answers is looked at and remembered.
std::map<std::string, std::set<std::string>> seen_in(std::vector<BackupRecord>& all, int rounds,
                                                     const std::string& silent = "") {
  std::map<std::string, std::set<std::string>> seen;
  for (int round = 1; round <= rounds; ++round)
    for (const SampledBackup& each : sample_for_verify(all, kBoth, 10, 10))
      for (const std::string& storage : each.storages) {
        if (storage == silent) continue;
        seen[storage].insert(each.backup.id);
        for (CopyRecord& copy : all[std::stoul(each.backup.id)].copies)
          if (copy.storage == storage) copy.checked_at = minute(round);
      }
  return seen;
}

}  // namespace

TEST_CASE("every copy in every storage gets its turn, each before any gets a second one") {
  for (const int count : {1, 9, 95, 250}) {
    std::vector<BackupRecord> all = backups(count);
    const int a_run = std::min(10, (count + 9) / 10);
    auto seen = seen_in(all, (count + a_run - 1) / a_run);
    for (const std::string& storage : kBoth)
      CHECK(seen[storage].size() == static_cast<std::size_t>(count));
  }
}

TEST_CASE("a storage that does not answer keeps the others' copies from nothing") {
  std::vector<BackupRecord> all = backups(50);
  auto seen = seen_in(all, 10, "r2");
  CHECK(seen["local"].size() == 50);
  seen = seen_in(all, 10);
  CHECK(seen["r2"].size() == 50);
}

TEST_CASE("copies that were never made or are deleted take nobody's turn") {
  std::vector<BackupRecord> all = backups(30);
  for (int i = 0; i < 20; ++i) {
    all[i].copies[1].state = i % 2 == 0 ? CopyState::deleted : CopyState::failed;
    if (i % 3 == 0) all[i].copies.pop_back();
  }
  auto seen = seen_in(all, 10);
  CHECK(seen["local"].size() == 30);
  CHECK(seen["r2"].size() == 10);
}

TEST_CASE("copies that are missing or damaged are looked at again") {
  std::vector<BackupRecord> all = backups(2);
  all[0].copies[0].state = CopyState::missing;
  all[1].copies[0].state = CopyState::damaged;
  CHECK(sample_for_verify(all, {"local"}, 100, 10).size() == 2);
}

TEST_CASE("a sample is a part, never nothing, and no more than its limit") {
  const std::vector<BackupRecord> all = backups(250);
  CHECK(sample_for_verify(all, {"local"}, 10, 10).size() == 10);
  CHECK(sample_for_verify(all, {"local"}, 10, 250).size() == 25);
  CHECK(sample_for_verify(all, {"local"}, 0.1, 10).size() == 1);
  CHECK(sample_for_verify(all, {"b2"}, 10, 10).empty());
  CHECK(sample_for_verify({}, kBoth, 10, 10).empty());
}
