#include "policy/orphans.h"

#include <algorithm>
#include <map>
#include <utility>

namespace bkp {
namespace {

bool older_than_a_day(TimePoint time, TimePoint now) {
  return time < now - kAbandonedAfter;  // of a time in the future it cannot be told
}

}  // namespace

std::vector<RestDecision> plan_orphans(std::vector<StoredRest> rests, const KnownStems& known,
                                       TimePoint now) {
  std::map<std::string, TimePoint> newest;  // in any storage
  for (const StoredRest& rest : rests) {
    const auto [entry, added] = newest.emplace(rest.stem, rest.newest);
    if (!added) entry->second = std::max(entry->second, rest.newest);
  }
  std::vector<RestDecision> decisions;
  for (StoredRest& rest : rests) {
    RestFate fate = RestFate::orphan;
    if (known.with_manifest.contains(rest.stem))
      fate = RestFate::elsewhere;
    else if (!known.every_storage_answered)
      fate = RestFate::unsure;
    else if (known.whole.contains(rest.stem))
      fate = RestFate::lost;
    else if (!older_than_a_day(newest.at(rest.stem), now))
      fate = RestFate::young;
    decisions.push_back({std::move(rest), fate});
  }
  return decisions;
}

std::vector<LeftoverDecision> plan_leftovers(const std::string& storage,
                                             std::vector<Leftover> leftovers,
                                             const KnownStems& known,
                                             std::string (*stem_of_name)(std::string_view),
                                             TimePoint now) {
  std::vector<LeftoverDecision> decisions;
  for (Leftover& leftover : leftovers) {
    bool remove = older_than_a_day(leftover.since, now);
    if (leftover.kind == Leftover::Kind::hidden) {
      const bool heartbeat = leftover.name.ends_with(".inprogress.json");
      remove = remove && (heartbeat || known.removed.contains(stem_of_name(leftover.name)));
    }
    decisions.push_back({storage, std::move(leftover), remove});
  }
  return decisions;
}

std::string_view describe(RestFate fate) {
  switch (fate) {
    case RestFate::orphan:
      return "no manifest anywhere, and no sign of a run for a day";
    case RestFate::elsewhere:
      return "its manifest is in another storage";
    case RestFate::young:
      return "written within a day: a run may be at work";
    case RestFate::unsure:
      return "a storage did not answer: its manifest may be there";
    case RestFate::lost:
      return "the catalog has it for a whole backup, and its manifests are gone";
  }
  return {};
}

}  // namespace bkp
