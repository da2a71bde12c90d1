// What in a storage belongs to no backup and may go. Pure, as retention.h.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "repo/inventory.h"
#include "storage/leftovers.h"

namespace bkp {

// Stems, as storages and catalog know them.
struct KnownStems {
  std::set<std::string> with_manifest;  // in any storage
  std::set<std::string> whole;          // that the catalog has for whole
  std::set<std::string> removed;        // whose removal the catalog has on record
  bool every_storage_answered = false;
};

// How long ago a killed run must have given its last sign.
inline constexpr Seconds kAbandonedAfter = std::chrono::days(1);

enum class RestFate {
  orphan,     // nobody's: it goes
  elsewhere,  // another storage has its manifest: sync completes it, or its run's sweep clears it
  young,      // written within a day: a run may be at work
  unsure,     // a storage did not answer: its manifest may be there
  lost,       // the catalog has it for whole, and every manifest is gone: data is kept, and told
};

struct RestDecision {
  StoredRest rest;
  RestFate fate = RestFate::unsure;
};

std::vector<RestDecision> plan_orphans(std::vector<StoredRest> rests, const KnownStems& known,
                                       TimePoint now);

struct LeftoverDecision {
  std::string storage;
  Leftover leftover;
  bool remove = false;
};

// Those older than a day, but for versions hidden behind a removal that is not ours: where someone
// else removed an object, that version is what it can be brought back from.
// `stem_of_name`: the stem an object belongs to.
std::vector<LeftoverDecision> plan_leftovers(const std::string& storage,
                                             std::vector<Leftover> leftovers,
                                             const KnownStems& known,
                                             std::string (*stem_of_name)(std::string_view),
                                             TimePoint now);

// "orphan", … for people.
std::string_view describe(RestFate fate);

}  // namespace bkp
