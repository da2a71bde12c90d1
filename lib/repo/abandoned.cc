#include "repo/abandoned.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/interrupt.h"
#include "repo/layout.h"

namespace bkp {
namespace {

constexpr std::chrono::hours kSilence{24};
constexpr std::chrono::minutes kClockAllowed{5};
constexpr std::size_t kMaxHeartbeat = 1 << 16;

bool is_silent(const Heartbeat& heartbeat, TimePoint now) {
  return now - heartbeat.heartbeat_at > kSilence;
}

void require_clock(Storage& storage, TimePoint now) {
  const StorageInfo info = storage.info();
  if (info.clock && std::chrono::abs(*info.clock - now) > kClockAllowed)
    throw Error(ErrorCode::failed,
                "storage '" + info.name + "': its clock says " + format_utc(*info.clock) +
                    ", this host's " + format_utc(now),
                "set the clock (timedatectl set-ntp true, or chronyc makestep)");
}

// A storage that has everything hears no more of a run that still writes to a slower one. What
// cannot be asked counts as a sign.
bool lives_elsewhere(const Repository& repository, const std::string& storage,
                     const std::string& heartbeat, TimePoint now) {
  for (const std::string& other : repository.storage_names()) {
    if (other == storage) continue;
    try {
      const std::optional<Bytes> text =
          read_object(repository.storage(other), heartbeat, kMaxHeartbeat);
      if (text && !is_silent(decode_heartbeat(as_text(*text)), now)) return true;
    } catch (const Error&) {
      check_interrupt();
      return true;
    }
  }
  return false;
}

// A damaged one is nobody's, and as old as the object.
Heartbeat read_heartbeat(const Object& object, std::string_view text) {
  try {
    return decode_heartbeat(text);
  } catch (const Error&) {
    Heartbeat heartbeat;
    heartbeat.started_at = heartbeat.heartbeat_at = object.modified;
    return heartbeat;
  }
}

void remove_or_throw(Storage& storage, const std::vector<std::string>& names) {
  for (const Outcome& outcome : storage.remove(names))
    if (outcome.error) throw *outcome.error;
}

}  // namespace

std::vector<AbandonedRun> find_abandoned(const Repository& repository, const std::string& storage,
                                         BackupType type, TimePoint now,
                                         const std::function<bool(const Uuid&)>& begun_here) {
  Storage& from = repository.storage(storage);
  repository.require_own(storage);
  const std::vector<Object> objects = from.list(type_prefix(repository.cluster(), type));
  const auto has = [&objects](const std::string& name) {
    return std::any_of(objects.begin(), objects.end(),
                       [&name](const Object& object) { return object.name == name; });
  };
  std::vector<AbandonedRun> found;
  for (const Object& object : objects) {
    if (role_of(object.name) != ObjectRole::heartbeat) continue;
    const std::optional<Bytes> text = read_object(from, object.name, kMaxHeartbeat);
    if (!text) continue;  // its run has just ended
    const Heartbeat heartbeat = read_heartbeat(object, as_text(*text));
    const std::string stem = stem_of(object.name);
    if (heartbeat.host != host_name() || !begun_here(heartbeat.id)) {
      if (!is_silent(heartbeat, now)) continue;
      require_clock(from, now);
      if (lives_elsewhere(repository, storage, object.name, now)) continue;
    }
    found.push_back({storage, stem, heartbeat, has(manifest_name(stem))});
  }
  return found;
}

bool remove_abandoned(const Repository& repository, const AbandonedRun& run) {
  Storage& storage = repository.storage(run.storage);
  if (!run.committed) {
    std::vector<std::string> names;
    for (const Object& object : storage.list(run.stem)) {
      if (role_of(object.name) == ObjectRole::manifest) return false;
      if (role_of(object.name) == ObjectRole::data) names.push_back(object.name);
    }
    // The part that was being written is no object yet, but may have left an unfinished upload.
    const unsigned begun = static_cast<unsigned>(names.size()) + 1;
    names.push_back(data_name(run.stem, run.heartbeat.type, run.heartbeat.codec, begun));
    remove_or_throw(storage, {manifest_name(run.stem)});
    remove_or_throw(storage, names);
  }
  remove_or_throw(storage, {heartbeat_name(run.stem)});
  return true;
}

}  // namespace bkp
