#include "policy/wal_retention.h"

#include <catch2/catch.hpp>
#include <random>

namespace bkp {
namespace {

using std::chrono::days;
using std::chrono::hours;

const TimePoint kNow = parse_rfc3339("2026-11-20T05:00:00Z");
constexpr std::uint64_t kSegment = 16 << 20;

// One segment an hour since `oldest`, the number of which is its age counted from there.
std::vector<RetentionWal> hourly(const std::string& generation, days oldest,
                                 days newest = days(0)) {
  std::vector<RetentionWal> wal;
  const auto count = std::chrono::duration_cast<hours>(oldest - newest).count();
  for (int i = 0; i < count; ++i) {
    RetentionWal segment;
    segment.generation = generation;
    segment.start_lsn = static_cast<std::uint64_t>(i) * kSegment;
    segment.end_lsn = segment.start_lsn + kSegment;
    segment.archived_at = kNow - oldest + hours(i);
    wal.push_back(std::move(segment));
  }
  return wal;
}

// A base that ended `age` ago beside hourly(generation, oldest).
RetentionBase base_at(std::string id, const std::string& generation, days age, days oldest) {
  const auto hour = std::chrono::duration_cast<hours>(oldest - age).count();
  RetentionBase base;
  base.id = std::move(id);
  base.generation = generation;
  base.start_lsn = static_cast<std::uint64_t>(hour) * kSegment + 40;
  base.stop_lsn = base.start_lsn + 2 * kSegment;
  base.stopped_at = kNow - age;
  return base;
}

std::size_t kept(const std::vector<WalDecision>& plan) {
  std::size_t count = 0;
  for (const WalDecision& decision : plan) count += decision.keep ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("continuous WAL stays back to the newest base older than the time for WAL") {
  const auto wal = hourly("15-1", days(31));
  const auto plan = plan_wal_retention(
      {base_at("a", "15-1", days(9), days(31)), base_at("b", "15-1", days(8), days(31)),
       base_at("c", "15-1", days(1), days(31))},
      wal, days(7), kNow);
  // Of the base of 9 days ago three segments (it begins and ends inside of one); from that of
  // 8 days ago on, all.
  CHECK(kept(plan) == 3 + 8 * 24);
  CHECK_FALSE(plan.front().keep);
  CHECK(plan.back().keep);
}

TEST_CASE("a base that stays long keeps the WAL from its start to its stop") {
  const auto wal = hourly("15-1", days(31));
  const auto plan = plan_wal_retention(
      {base_at("held", "15-1", days(30), days(31)), base_at("b", "15-1", days(8), days(31))}, wal,
      days(7), kNow);
  CHECK(kept(plan) == 3 + 8 * 24);
  CHECK(plan[24].reason == WalReason::base);
  CHECK(plan[26].keep);
  CHECK_FALSE(plan[27].keep);
}

TEST_CASE("without a base as old as the time for WAL, the window begins with the oldest good one") {
  const auto wal = hourly("15-1", days(10));
  auto damaged = base_at("damaged", "15-1", days(9), days(10));
  damaged.good = false;
  const auto plan =
      plan_wal_retention({damaged, base_at("a", "15-1", days(3), days(10))}, wal, days(2), kNow);
  CHECK(kept(plan) == 3 + 3 * 24);
}

TEST_CASE("WAL is not removed where no base says what it is for") {
  const auto plan = plan_wal_retention({}, hourly("15-1", days(90)), days(7), kNow);
  CHECK(kept(plan) == plan.size());
}

TEST_CASE("after pg_upgrade the timelines begin again, and only the old generation's WAL goes") {
  auto wal = hourly("14-1", days(60), days(20));
  const std::size_t old = wal.size();
  const auto current = hourly("15-2", days(20));
  wal.insert(wal.end(), current.begin(), current.end());
  const auto plan =
      plan_wal_retention({base_at("new", "15-2", days(19), days(20))}, wal, days(7), kNow);
  for (const WalDecision& decision : plan) {
    if (decision.wal < old) CHECK_FALSE(decision.keep);
    if (decision.wal >= old + 24) CHECK(decision.keep);
  }
}

TEST_CASE("histories stay, whatever their age") {
  auto wal = hourly("15-1", days(60));
  wal.front().history = true;
  const auto plan =
      plan_wal_retention({base_at("a", "15-1", days(8), days(60))}, wal, days(7), kNow);
  CHECK(plan.front().reason == WalReason::history);
}

TEST_CASE("whatever the bases, every moment of the window and every kept base can be reached") {
  const unsigned seed = GENERATE(take(300, random(0U, 1U << 30)));
  std::mt19937 random(seed);
  const auto wal = hourly("15-1", days(40));
  std::vector<RetentionBase> bases;
  const int count = std::uniform_int_distribution<int>(1, 8)(random);
  for (int i = 0; i < count; ++i) {
    const days age(std::uniform_int_distribution<int>(1, 39)(random));
    bases.push_back(base_at(std::to_string(i), "15-1", age, days(40)));
    bases.back().good = std::uniform_int_distribution<int>(0, 3)(random) != 0;
  }
  const days keep(std::uniform_int_distribution<int>(1, 30)(random));
  const auto plan = plan_wal_retention(bases, wal, keep, kNow);
  INFO("seed " << seed);
  const auto whole_from = [&](std::uint64_t from, std::uint64_t to) {
    for (std::size_t i = 0; i < wal.size(); ++i)
      if (wal[i].end_lsn > from && wal[i].start_lsn < to && !plan[i].keep) return false;
    return true;
  };
  // Every moment that a good base and continuous WAL reach, back to `keep` ago, and each base.
  for (const RetentionBase& base : bases) {
    CHECK(whole_from(base.start_lsn, base.stop_lsn));
    if (base.good && base.stopped_at > kNow - keep) CHECK(whole_from(base.start_lsn, UINT64_MAX));
  }
  for (const RetentionBase& base : bases) {
    if (!base.good || base.stopped_at > kNow - keep) continue;
    bool newer_old_one = false;
    for (const RetentionBase& other : bases)
      newer_old_one = newer_old_one || (other.good && other.stopped_at <= kNow - keep &&
                                        other.stopped_at > base.stopped_at);
    if (!newer_old_one) CHECK(whole_from(base.start_lsn, UINT64_MAX));
  }
}

}  // namespace bkp
