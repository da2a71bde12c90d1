#include "policy/orphans.h"

#include <catch2/catch.hpp>

namespace bkp {
namespace {

using std::chrono::days;
using std::chrono::hours;

const TimePoint kNow = parse_rfc3339("2026-11-20T05:00:00Z");

StoredRest rest_of(std::string stem, std::string storage, hours age) {
  return {std::move(storage), stem, {stem + ".dump.gz.enc"}, 10, kNow - age};
}

KnownStems all_answered() {
  KnownStems known;
  known.every_storage_answered = true;
  return known;
}

RestFate fate(const KnownStems& known, hours age = days(2)) {
  return plan_orphans({rest_of("a", "local", age)}, known, kNow).at(0).fate;
}

std::string first_part(std::string_view name) {
  return std::string(name.substr(0, name.find('.')));
}

bool removes(Leftover::Kind kind, hours age, const std::string& name = "a.dump.gz.enc",
             const KnownStems& known = all_answered()) {
  return plan_leftovers("r2", {{kind, name, 1, kNow - age, "t"}}, known, first_part, kNow)
      .at(0)
      .remove;
}

}  // namespace

TEST_CASE("an orphan has no manifest anywhere and gave no sign for a day") {
  CHECK(fate(all_answered()) == RestFate::orphan);
  CHECK(fate(all_answered(), hours(23)) == RestFate::young);
  CHECK(fate(all_answered(), hours(-48)) == RestFate::young);
  KnownStems known = all_answered();
  known.with_manifest = {"a"};
  CHECK(fate(known) == RestFate::elsewhere);
}

TEST_CASE("nothing is an orphan while a storage that may have its manifest does not answer") {
  CHECK(fate(KnownStems{}) == RestFate::unsure);
}

TEST_CASE("data whose manifests are gone is not removed while the catalog has the backup") {
  KnownStems known = all_answered();
  known.whole = {"a"};
  CHECK(fate(known) == RestFate::lost);
}

TEST_CASE("a sign of life in one storage protects what lies in the others") {
  const auto plan = plan_orphans({rest_of("a", "local", days(3)), rest_of("a", "r2", hours(1)),
                                  rest_of("b", "local", days(3))},
                                 all_answered(), kNow);
  CHECK(plan.at(0).fate == RestFate::young);
  CHECK(plan.at(1).fate == RestFate::young);
  CHECK(plan.at(2).fate == RestFate::orphan);
}

TEST_CASE("temporary files, uploads and superseded versions go after a day") {
  for (const auto kind :
       {Leftover::Kind::temporary, Leftover::Kind::upload, Leftover::Kind::superseded}) {
    CHECK(removes(kind, hours(25)));
    CHECK_FALSE(removes(kind, hours(23)));
  }
  CHECK_FALSE(plan_leftovers("r2", {{Leftover::Kind::upload, "a", 1, TimePoint::max(), "t"}},
                             all_answered(), first_part, kNow)
                  .at(0)
                  .remove);
}

TEST_CASE("a version hidden behind a removal goes only where the removal is on record") {
  CHECK_FALSE(removes(Leftover::Kind::hidden, days(30)));
  KnownStems known = all_answered();
  known.removed = {"a"};
  CHECK(removes(Leftover::Kind::hidden, days(30), "a.dump.gz.enc", known));
  CHECK_FALSE(removes(Leftover::Kind::hidden, hours(1), "a.dump.gz.enc", known));
  CHECK(removes(Leftover::Kind::hidden, days(2), "b.inprogress.json"));
}

}  // namespace bkp
