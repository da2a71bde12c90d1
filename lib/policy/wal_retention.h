// Which archived WAL of one storage has had its time. Pure, as retention.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace bkp {

// One physical backup that stays in this storage.
struct RetentionBase {
  std::string id;
  std::string generation;  // "15-7312345678901234567": major version and system identifier
  std::uint64_t start_lsn = 0;
  std::uint64_t stop_lsn = 0;
  TimePoint stopped_at;
  bool good = true;
};

struct RetentionWal {
  std::string name;  // of the object
  std::string generation;
  std::uint64_t start_lsn = 0;  // first byte of the segment
  std::uint64_t end_lsn = 0;    // behind its last
  TimePoint archived_at;
  bool history = false;  // a timeline's history: small, and needed by whatever follows it
};

enum class WalReason {
  continuous,  // from a base that the window begins with
  base,        // between start and stop of a base that stays
  young,       // its time is not over
  history,
  no_base,  // nothing tells what it is for
};

struct WalDecision {
  std::size_t wal = 0;  // index into what was given
  bool keep = true;
  WalReason reason = WalReason::continuous;
};

// WAL that a kept base needs from its start to its stop stays as long as the base. Continuous WAL
// stays back to the start of the newest good base that ended at least `keep` ago: from there on
// every moment can be reached, and that is the window that is promised. Where no base is as old,
// the window begins with the oldest good one. Generations are told apart by identifier, never by
// the order of names: after pg_upgrade timelines begin at 1 again. WAL of a generation without any
// base stays while no later generation has a base.
std::vector<WalDecision> plan_wal_retention(const std::vector<RetentionBase>& bases,
                                            const std::vector<RetentionWal>& wal, Seconds keep,
                                            TimePoint now);

}  // namespace bkp
