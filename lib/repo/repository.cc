#include "repo/repository.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "crypto/measured.h"
#include "repo/heartbeat.h"
#include "repo/layout.h"
#include "repo/object_reader.h"
#include "repo/object_writer.h"
#include "stream/fan_out.h"
#include "stream/memory_stream.h"
#include "stream/parallel_sink.h"

namespace bkp {
namespace {

constexpr std::uint32_t kFrameSize = 1 << 20;

CopyState state_of(BadCopy::Kind kind) {
  switch (kind) {
    case BadCopy::Kind::missing:
      return CopyState::missing;
    case BadCopy::Kind::damaged:
      return CopyState::damaged;
    case BadCopy::Kind::unreachable:
      return CopyState::failed;
  }
  return CopyState::failed;
}

std::string join_errors(const std::vector<CopyOutcome>& copies) {
  std::string text;
  for (const CopyOutcome& copy : copies)
    if (!copy.ok())
      text += (text.empty() ? "" : "; ") + fmt::format("'{}': {}", copy.storage, copy.error);
  return text;
}

std::size_t count_ok(const std::vector<CopyOutcome>& copies) {
  return static_cast<std::size_t>(std::count_if(copies.begin(), copies.end(),
                                                [](const CopyOutcome& copy) { return copy.ok(); }));
}

// Does `work` for all storages at once, whatever signal came; for one that does not answer soon it
// is left to the next run's sweep.
void clean_up_in(const std::vector<std::string>& storages,
                 const std::function<void(const std::string&)>& work) noexcept {
  const InterruptShield shield;
  try {
    std::vector<Leg> legs;
    // This one is done at once, and from then on the patience with the others is limited.
    legs.push_back({"", [](std::stop_token) { return std::make_unique<NullSink>(); }});
    for (const std::string& storage : storages)
      legs.push_back({storage, [&work, &storage](std::stop_token stop) {
                        const InterruptShield from_signals;
                        const StopScope scope(std::move(stop));
                        work(storage);
                        return std::make_unique<NullSink>();
                      }});
    FanOut all(std::move(legs), {});
    all.finish();
    all.wait();
  } catch (const std::exception&) {
    // The heartbeat stays where this failed, and whoever finds it removes the rest.
  }
}

// The slots are not compared: while keys rotate, one copy's manifest has more than another's, and
// each opens.
bool same_data(const std::vector<StoredObject>& a, const std::vector<StoredObject>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const StoredObject& one, const StoredObject& other) {
                      return one.name == other.name && one.size == other.size &&
                             one.sha256 == other.sha256;
                    });
}

ExpectedObject expect(const Manifest& manifest, std::size_t object, const KeyRing& keys) {
  ExpectedObject expected;
  expected.stored = manifest.objects[object];
  expected.header.suite = manifest.suite;
  expected.header.codec = manifest.codec;
  expected.header.cluster = manifest.cluster_uuid;
  expected.header.backup = manifest.id;
  expected.header.part = static_cast<std::uint32_t>(object) + 1;
  expected.header.name = expected.stored.name;
  expected.key = keys.unwrap(expected.stored.slots);
  return expected;
}

}  // namespace

struct Repository::State {
  std::string cluster;
  std::vector<std::shared_ptr<Storage>> storages;
  std::vector<std::string> names;
  KeyRing keys;
  Suite suite;
  WorkerPool& pool;
  const Clock& clock;
  std::mutex uuid_mutex;
  std::optional<Uuid> uuid;

  const std::shared_ptr<Storage>& find(std::string_view name) const {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return storages[i];
    throw Error(ErrorCode::usage, fmt::format("there is no storage '{}'", name),
                fmt::format("the configuration has: {}", fmt::join(names, ", ")));
  }
};

Repository::Repository(std::string cluster, std::vector<NamedStorage> storages, KeyRing keys,
                       Suite suite, WorkerPool& pool, const Clock& clock)
    : state_(new State{std::move(cluster), {}, {}, std::move(keys), suite, pool, clock, {}, {}}) {
  for (NamedStorage& storage : storages) {
    state_->names.push_back(std::move(storage.name));
    state_->storages.push_back(std::move(storage.storage));
  }
}

Repository::~Repository() = default;

const std::string& Repository::cluster() const { return state_->cluster; }
const KeyRing& Repository::keys() const { return state_->keys; }
std::vector<std::string> Repository::storage_names() const { return state_->names; }
Storage& Repository::storage(std::string_view name) const { return *state_->find(name); }

// --- which cluster ------------------------------------------------------------------------------

std::optional<ClusterFile> Repository::read_cluster_file(std::string_view storage) const {
  const std::optional<Bytes> content =
      read_object(*state_->find(storage), cluster_file_name(state_->cluster), 1 << 20);
  if (!content) return std::nullopt;
  return decode_cluster_file(as_text(*content));
}

std::vector<Repository::StorageState> Repository::probe() const {
  std::vector<StorageState> states;
  for (const std::string& name : state_->names) states.push_back({name, {}, {}});
  std::vector<Leg> legs;
  for (StorageState& state : states)
    legs.push_back({state.storage, [this, &state](std::stop_token) -> std::unique_ptr<Sink> {
                      state.file = read_cluster_file(state.storage);
                      return std::make_unique<NullSink>();
                    }});
  FanOut all(std::move(legs), {});
  all.finish();
  const std::vector<LegResult> results = all.wait();
  for (std::size_t i = 0; i < states.size(); ++i) states[i].error = describe(results[i].error);
  return states;
}

Uuid Repository::cluster_uuid() const {
  const std::lock_guard lock(state_->uuid_mutex);
  if (state_->uuid) return *state_->uuid;
  std::string problems;
  for (const std::string& name : state_->names) {
    try {
      if (const std::optional<ClusterFile> file = read_cluster_file(name)) {
        state_->uuid = file->uuid;
        return file->uuid;
      }
      problems += fmt::format("; '{}' has no {}", name, cluster_file_name(state_->cluster));
    } catch (const Error& error) {
      check_interrupt();
      problems += fmt::format("; '{}': {}", name, error.message());
    }
  }
  throw Error(ErrorCode::usage,
              fmt::format("no storage is known to hold cluster '{}'{}", state_->cluster, problems),
              "is the disk mounted? a new storage is initialised by 'bkp init'");
}

void Repository::write_cluster_file(std::string_view storage, const ClusterFile& file) {
  write_object(*state_->find(storage), cluster_file_name(state_->cluster),
               as_bytes(encode_cluster_file(file)), IfExists::replace);
}

ClusterFile Repository::require_mark(std::string_view storage) const {
  std::optional<ClusterFile> file = read_cluster_file(storage);
  if (!file)
    throw Error(ErrorCode::failed,
                fmt::format("storage '{}' has no {}: is the disk mounted?", storage,
                            cluster_file_name(state_->cluster)),
                "a new storage is initialised by 'bkp init'");
  return *std::move(file);
}

void Repository::require_cluster(const std::string& storage, const Uuid& uuid) const {
  const ClusterFile file = require_mark(storage);
  if (file.uuid != uuid)
    throw Error(ErrorCode::failed,
                fmt::format("storage '{}' holds another cluster named '{}' ({} instead of {})",
                            storage, state_->cluster, file.uuid.text(), uuid.text()));
}

// --- writing ------------------------------------------------------------------------------------

PutResult Repository::put(const PutOptions& options, Source& from) {
  state_->keys.recipients();  // a wrong also_for is told before anything is read
  const Uuid uuid = cluster_uuid();
  Heartbeat first{options.backup, options.type,        options.compression.codec, host_name(),
                  ::getpid(),     state_->clock.now(), state_->clock.now()};
  ObjectWriterOptions writer_options;
  writer_options.header.suite = state_->suite;
  writer_options.header.codec = options.compression.codec;
  writer_options.header.frame_size = kFrameSize;
  writer_options.header.cluster = uuid;
  writer_options.header.backup = options.backup;
  writer_options.object_limit = options.object_limit;
  writer_options.frame_limit = options.frame_limit;
  writer_options.name = [&options](unsigned part) {
    return data_name(options.stem, options.type, options.compression.codec, part);
  };
  std::vector<Destination> destinations;
  for (std::size_t i = 0; i < state_->names.size(); ++i)
    destinations.push_back({state_->names[i], [this, i, uuid, first, stem = options.stem](
                                                  const std::string& name, std::stop_token stop) {
                              Heartbeat heartbeat = first;
                              heartbeat.heartbeat_at = state_->clock.now();
                              Storage& storage = *state_->storages[i];
                              require_cluster(state_->names[i], uuid);
                              write_object(storage, heartbeat_name(stem),
                                           as_bytes(encode_heartbeat(heartbeat)),
                                           IfExists::replace);
                              CreateOptions create;
                              create.stop = std::move(stop);
                              return keep_heartbeat(storage.create(name, create), storage,
                                                    heartbeat_name(stem), heartbeat, state_->clock);
                            }});

  PutResult result;
  std::vector<std::string> names;
  try {
    ObjectWriter objects(std::move(writer_options), std::move(destinations), state_->keys,
                         state_->pool);
    try {
      MeasuredSource plain(from);
      ParallelSink compressed(
          [&options](ByteView block, std::uint64_t, bool) {
            return compress_block(options.compression, block);
          },
          objects, state_->pool, kFrameSize);
      copy(plain, compressed);
      result.plain_size = plain.size();
      result.plain_sha256 = plain.digest();
      for (const LegResult& leg : objects.wait())
        result.copies.push_back({leg.name, describe(leg.error)});
      result.objects = objects.objects();
    } catch (...) {
      for (const StoredObject& object : objects.objects()) names.push_back(object.name);
      throw;
    }
    for (const StoredObject& object : result.objects) names.push_back(object.name);
    if (count_ok(result.copies) < options.minimum)
      throw Error(ErrorCode::failed,
                  fmt::format("only {} of {} copies could be written, {} are required: {}",
                              count_ok(result.copies), result.copies.size(), options.minimum,
                              join_errors(result.copies)));
  } catch (...) {
    abandon(options.stem, names);  // after the writer and its legs are gone
    throw;
  }
  return result;
}

void Repository::commit(const Manifest& manifest, std::string_view stem, unsigned minimum,
                        std::vector<CopyOutcome>& copies) {
  std::vector<std::string> names;
  for (const StoredObject& object : manifest.objects) names.push_back(object.name);
  try {
    const std::string text = encode_manifest(manifest, state_->keys);
    std::vector<Leg> legs;
    std::vector<CopyOutcome*> waiting;
    for (CopyOutcome& copy : copies) {
      if (!copy.ok()) continue;
      waiting.push_back(&copy);
      legs.push_back({copy.storage, [this, &copy, stem](std::stop_token stop) {
                        Storage& storage = *state_->find(copy.storage);
                        if (!stat_object(storage, heartbeat_name(stem)))
                          throw Error(ErrorCode::failed,
                                      fmt::format("storage '{}': the data of '{}' is gone, another "
                                                  "run took it for abandoned",
                                                  copy.storage, stem),
                                      "does a clone of this host run bkp too?");
                        CreateOptions create;
                        create.stop = std::move(stop);
                        return storage.create(manifest_name(stem), create);
                      }});
    }
    FanOut all(std::move(legs), {});
    all.write(as_bytes(text));
    all.finish();
    const std::vector<LegResult> results = all.wait();
    for (std::size_t i = 0; i < results.size(); ++i) waiting[i]->error = describe(results[i].error);
    if (count_ok(copies) < minimum)
      throw Error(ErrorCode::failed,
                  fmt::format("only {} of {} manifests could be written, {} are required: {}",
                              count_ok(copies), copies.size(), minimum, join_errors(copies)));
  } catch (...) {
    abandon(stem, names);
    throw;
  }
}

void Repository::end_heartbeats(std::string_view stem,
                                const std::vector<CopyOutcome>& copies) noexcept {
  std::vector<std::string> whole;
  for (const CopyOutcome& copy : copies)
    if (copy.ok()) whole.push_back(copy.storage);
  clean_up_in(whole, [this, stem](const std::string& storage) {
    remove_quietly(storage, {heartbeat_name(stem)});
  });
}

void Repository::remove_quietly(const std::string& storage,
                                const std::vector<std::string>& names) noexcept {
  try {
    for (const Outcome& outcome : state_->find(storage)->remove(names))
      if (outcome.error) return;  // what comes later needs what comes before gone
  } catch (const std::exception&) {
    // The heartbeat stays where this failed, and whoever finds it removes the rest.
  }
}

void Repository::abandon_in(const std::string& storage, std::string_view stem,
                            const std::vector<std::string>& objects) noexcept {
  try {
    Storage& from = *state_->find(storage);
    for (const std::vector<std::string>& step :
         {std::vector{manifest_name(stem)}, objects, std::vector{heartbeat_name(stem)}}) {
      if (step.empty()) continue;
      for (const Outcome& outcome : from.remove(step))
        if (outcome.error) return;
    }
  } catch (const std::exception&) {
    // As above: the heartbeat is the last to go.
  }
}

void Repository::abandon(std::string_view stem, const std::vector<std::string>& objects) noexcept {
  clean_up_in(state_->names,
              [&](const std::string& storage) { abandon_in(storage, stem, objects); });
}

// --- reading ------------------------------------------------------------------------------------

std::optional<Manifest> Repository::manifest(std::string_view stem,
                                             const std::vector<std::string>& order,
                                             std::vector<CopyCheck>* bad_copies) {
  const auto note = [&](const std::string& name, CopyState state, std::string problem,
                        const std::string& hint) {
    if (bad_copies != nullptr)
      bad_copies->push_back({name, state, std::move(problem), 0, "", hint});
  };
  for (const std::string& name : order) {
    try {
      const std::optional<Bytes> text =
          read_object(*state_->find(name), manifest_name(stem), kMaxManifest);
      if (text) {
        Manifest manifest = decode_manifest(as_text(*text), state_->keys);
        if (manifest.objects.empty() || stem_of(manifest.objects.front().name) != stem)
          throw Error(ErrorCode::integrity, "it is another backup's");
        return manifest;
      }
      require_mark(name);  // nothing is missing from a storage that is not there itself
      note(name, CopyState::missing, fmt::format("manifest '{}' is missing", manifest_name(stem)),
           "");
    } catch (const Error& error) {
      check_interrupt();
      note(name, error.code() == ErrorCode::integrity ? CopyState::damaged : CopyState::failed,
           fmt::format("manifest '{}': {}", manifest_name(stem), error.message()), error.hint());
    }
  }
  return std::nullopt;
}

GetResult Repository::get(const Manifest& manifest, const std::vector<std::string>& order,
                          Sink& to) {
  std::vector<ObjectCopy> copies;
  for (const std::string& name : order) copies.push_back({name, state_->find(name)});
  GetResult result;
  MeasuredSink plain(to);
  for (std::size_t i = 0; i < manifest.objects.size(); ++i) {
    ObjectReader reader(expect(manifest, i, state_->keys), copies, state_->pool);
    reader.read_all(plain);
    for (const std::string& storage : reader.served_by())
      if (std::find(result.served_by.begin(), result.served_by.end(), storage) ==
          result.served_by.end())
        result.served_by.push_back(storage);
    for (const BadCopy& bad : reader.bad_copies())
      result.bad_copies.push_back({bad.storage, state_of(bad.kind), bad.problem, 0, ""});
  }
  result.bytes = plain.size();
  result.sha256 = plain.digest();
  if (result.bytes != manifest.plain_size || result.sha256 != manifest.plain_sha256)
    throw Error(ErrorCode::integrity,
                fmt::format("backup '{}' opens, but its plain bytes are not those that were dumped",
                            manifest.id.text()));
  to.finish();
  return result;
}

CopyCheck Repository::check(const Manifest& manifest, std::string_view storage, CheckDepth depth) {
  CopyCheck check;
  check.storage = storage;
  const std::shared_ptr<Storage>& from = state_->find(storage);
  const auto found = [&](CopyState state, std::string problem) {
    check.state = state;
    check.problem = std::move(problem);
    return check;
  };
  try {
    const std::string stem = stem_of(manifest.objects.front().name);
    for (const Object& object : from->list(stem))
      if (object.name == manifest.objects.front().name) check.etag = object.etag;
    std::vector<CopyCheck> bad;
    const std::optional<Manifest> own = this->manifest(stem, {check.storage}, &bad);
    if (!own) return found(bad.front().state, bad.front().problem);
    if (own->id != manifest.id || !same_data(own->objects, manifest.objects))
      return found(CopyState::damaged,
                   fmt::format("manifest '{}' is another backup's", manifest_name(stem)));
    for (std::size_t i = 0; i < manifest.objects.size(); ++i) {
      const StoredObject& object = manifest.objects[i];
      const std::optional<Object> stored = stat_object(*from, object.name);
      if (!stored) {
        require_mark(storage);
        return found(CopyState::missing, fmt::format("object '{}' is missing", object.name));
      }
      if (stored->size != object.size)
        return found(CopyState::damaged, fmt::format("object '{}' has {} bytes instead of {}",
                                                     object.name, stored->size, object.size));
      check.size += stored->size;
      if (depth == CheckDepth::stat) continue;
      const std::string problem =
          prove_copy(*from, expect(manifest, i, state_->keys),
                     depth == CheckDepth::deep ? Seals::yes : Seals::no, state_->pool);
      if (!problem.empty()) return found(CopyState::damaged, problem);
    }
    return check;
  } catch (const Error& error) {
    check_interrupt();
    return found(error.code() == ErrorCode::integrity ? CopyState::damaged : CopyState::failed,
                 error.message());
  }
}

}  // namespace bkp
