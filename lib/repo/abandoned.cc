#include "repo/abandoned.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "repo/layout.h"

namespace bkp {
namespace {

constexpr std::chrono::hours kSilence{24};

bool is_abandoned(const Heartbeat& heartbeat, TimePoint now) {
  return heartbeat.host == host_name() || now - heartbeat.heartbeat_at > kSilence;
}

void remove_or_throw(Storage& storage, const std::vector<std::string>& names) {
  for (const Outcome& outcome : storage.remove(names))
    if (outcome.error) throw *outcome.error;
}

}  // namespace

std::vector<AbandonedRun> find_abandoned(const Repository& repository, const std::string& storage,
                                         BackupType type, TimePoint now) {
  Storage& from = repository.storage(storage);
  const std::vector<Object> objects = from.list(type_prefix(repository.cluster(), type));
  const auto has = [&objects](const std::string& name) {
    return std::any_of(objects.begin(), objects.end(),
                       [&name](const Object& object) { return object.name == name; });
  };
  std::vector<AbandonedRun> found;
  for (const Object& object : objects) {
    if (role_of(object.name) != ObjectRole::heartbeat) continue;
    const std::optional<Bytes> text = read_object(from, object.name, 1 << 16);
    if (!text) continue;  // its run has just ended
    const Heartbeat heartbeat = decode_heartbeat(as_text(*text));
    const std::string stem = stem_of(object.name);
    if (is_abandoned(heartbeat, now))
      found.push_back({storage, stem, heartbeat, has(manifest_name(stem))});
  }
  return found;
}

void remove_abandoned(const Repository& repository, const AbandonedRun& run) {
  Storage& storage = repository.storage(run.storage);
  if (!run.committed) {
    std::vector<std::string> names;
    for (const Object& object : storage.list(run.stem))
      if (role_of(object.name) == ObjectRole::data) names.push_back(object.name);
    // The part that was being written is no object yet, but may have left an unfinished upload.
    const unsigned begun = static_cast<unsigned>(names.size()) + 1;
    names.push_back(data_name(run.stem, run.heartbeat.type, run.heartbeat.codec, begun));
    names.push_back(manifest_name(run.stem));
    remove_or_throw(storage, names);
  }
  remove_or_throw(storage, {heartbeat_name(run.stem)});
}

}  // namespace bkp
