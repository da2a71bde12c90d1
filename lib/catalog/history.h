// What manifests do not hold (runs, restores, alerts) as one text, so that it can travel to the
// storages: JSON lines, specified in bkp-repository(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "catalog/catalog.h"

namespace bkp {

struct History {
  std::string cluster;
  std::string host;  // that wrote it
  TimePoint taken_at;
  std::vector<RunRecord> runs;
  std::vector<RestoreRecord> restores;
  std::vector<AlertRecord> alerts;
};

// What a history holds of each kind: so many of the newest, of so many days; an alert that is not
// resolved always.
inline constexpr std::size_t kHistoryRecords = 10'000;
inline constexpr std::chrono::hours kHistoryAge{90 * 24};

std::string encode_history(const History& history);
// Strict: one text for each history, every line whole, the last line's counts right. Throws
// Error(integrity).
History decode_history(std::string_view text);

// Of this catalog, as of `now`; cluster and host are the caller's to set.
History collect_history(const Catalog& catalog, TimePoint now);

// Takes records into a catalog by their ids: those it does not have, and later states of those it
// has. Returns how many.
std::size_t merge_history(Catalog& catalog, const History& history);

}  // namespace bkp
