// <stem>.inprogress.json: a backup is being written, by whom, since when; while its moment is
// fresh, no other host takes what is there for an orphan. Specified in bkp-repository(5).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/uuid.h"
#include "catalog/records.h"
#include "storage/storage.h"
#include "stream/codec.h"

namespace bkp {

struct Heartbeat {
  Uuid id;
  BackupType type = BackupType::full_database;
  Codec codec = Codec::gzip;
  std::string host;
  std::int64_t pid = 0;
  TimePoint started_at;
  TimePoint heartbeat_at;
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

std::string encode_heartbeat(const Heartbeat& heartbeat);
Heartbeat decode_heartbeat(std::string_view text);  // throws Error(integrity)

// This host's name, as heartbeats and records have it.
std::string host_name();

// Wraps the sink of a data object so that the heartbeat beside it is renewed every 10 minutes while
// data is written. Keeps Rereadable and Advancing if `to` has them.
std::unique_ptr<Sink> keep_heartbeat(std::unique_ptr<Sink> to, Storage& storage, std::string name,
                                     Heartbeat heartbeat, const Clock& clock);

}  // namespace bkp
