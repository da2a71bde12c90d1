#include "policy/wal_retention.h"

#include <algorithm>
#include <map>
#include <optional>

namespace bkp {
namespace {

// What is known of the bases of one generation.
struct Generation {
  std::vector<const RetentionBase*> bases;
  std::optional<std::uint64_t> window;  // continuous WAL stays from here on
};

std::optional<std::uint64_t> window_start(const std::vector<const RetentionBase*>& bases,
                                          TimePoint newest_stop) {
  const RetentionBase* begins = nullptr;
  const RetentionBase* oldest = nullptr;
  for (const RetentionBase* base : bases) {
    if (!base->good) continue;
    if (oldest == nullptr || base->start_lsn < oldest->start_lsn) oldest = base;
    if (base->stopped_at <= newest_stop &&
        (begins == nullptr || base->start_lsn > begins->start_lsn))
      begins = base;
  }
  if (begins != nullptr) return begins->start_lsn;
  if (oldest != nullptr) return oldest->start_lsn;
  return std::nullopt;
}

}  // namespace

std::vector<WalDecision> plan_wal_retention(const std::vector<RetentionBase>& bases,
                                            const std::vector<RetentionWal>& wal, Seconds keep,
                                            TimePoint now) {
  std::map<std::string, Generation> generations;
  std::optional<TimePoint> newest_base;
  for (const RetentionBase& base : bases) {
    generations[base.generation].bases.push_back(&base);
    if (base.good && (!newest_base || base.stopped_at > *newest_base))
      newest_base = base.stopped_at;
  }
  for (auto& [name, generation] : generations)
    generation.window = window_start(generation.bases, now - keep);
  std::map<std::string, TimePoint> newest_wal;
  for (const RetentionWal& segment : wal) {
    TimePoint& newest = newest_wal[segment.generation];
    newest = std::max(newest, segment.archived_at);
  }

  std::vector<WalDecision> decisions;
  for (std::size_t i = 0; i < wal.size(); ++i) {
    const RetentionWal& segment = wal[i];
    const Generation& generation = generations[segment.generation];
    const auto within = [&](const RetentionBase* base) {
      return segment.end_lsn > base->start_lsn && segment.start_lsn < base->stop_lsn;
    };
    const bool superseded = newest_base && newest_wal[segment.generation] < *newest_base;
    WalDecision decision{i, true, WalReason::continuous};
    if (segment.history)
      decision.reason = WalReason::history;
    else if (std::any_of(generation.bases.begin(), generation.bases.end(), within))
      decision.reason = WalReason::base;
    else if (generation.window && segment.end_lsn > *generation.window)
      decision.reason = WalReason::continuous;
    else if (segment.archived_at > now - keep)
      decision.reason = WalReason::young;
    else if (!generation.window && !superseded)
      decision.reason = WalReason::no_base;
    else
      decision.keep = false;
    decisions.push_back(decision);
  }
  return decisions;
}

}  // namespace bkp
