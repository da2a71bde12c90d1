// The storages and the key as one: put() compresses, encrypts, hashes and fans out; get() undoes
// it, going from copy to copy. No command knows gzip, keys, or how many storages there are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/records.h"
#include "config/config.h"
#include "crypto/key.h"
#include "repo/cluster_file.h"
#include "repo/manifest.h"
#include "storage/storage.h"
#include "stream/worker_pool.h"

namespace bkp {

// What became of one storage in a put or a commit.
struct CopyOutcome {
  std::string storage;
  std::string error;  // empty: durable there
  bool ok() const { return error.empty(); }
};

struct PutResult {
  std::vector<StoredObject> objects;
  std::uint64_t plain_size = 0;
  Digest256 plain_sha256{};
  std::vector<CopyOutcome> copies;  // in the storages' order; at least one is ok
};

// How one copy of a backup was found.
struct CopyCheck {
  std::string storage;
  CopyState state =
      CopyState::good;  // good, missing, damaged, or failed (the storage did not answer)
  std::string problem;  // which object, where, what
  std::uint64_t size = 0;
  std::string etag;
  std::string hint = {};  // what the user can do about the problem, or empty
};

enum class CheckDepth { stat, read, deep };  // sizes | SHA-256 of stored bytes | and every seal

struct GetResult {
  std::uint64_t bytes = 0;             // plain
  Digest256 sha256{};                  // of the plain bytes
  std::vector<std::string> served_by;  // storages, in the order they were used
  std::vector<CopyCheck> bad_copies;   // what was found wrong on the way
};

struct NamedStorage {
  std::string name;
  std::shared_ptr<Storage> storage;
};

class Repository {
 public:
  Repository(std::string cluster, std::vector<NamedStorage> storages, KeyRing keys, Suite suite,
             WorkerPool& pool, const Clock& clock);
  ~Repository();

  const std::string& cluster() const;
  const KeyRing& keys() const;
  std::vector<std::string> storage_names() const;
  Storage& storage(std::string_view name) const;  // throws Error(usage)

  // cluster.json of each storage, asked all at once. A storage that does not answer has an error.
  struct StorageState {
    std::string storage;
    std::optional<ClusterFile> file;
    std::string error;  // did not answer, or is not this cluster's; with `file` empty and no error:
                        // it has none
  };
  std::vector<StorageState> probe() const;
  // cluster.json of one storage; nullopt: it has none.
  std::optional<ClusterFile> read_cluster_file(std::string_view storage) const;
  // This cluster's UUID, from the first storage that has a cluster.json (asked once; writing to a
  // storage asks that storage again). Throws Error(usage) with "is the disk mounted?" when none
  // has.
  Uuid cluster_uuid() const;
  void write_cluster_file(std::string_view storage, const ClusterFile& file);
  // Throws Error(failed) unless the storage is marked as this cluster's: nothing is missing from
  // one that is not, and nothing in it is ours to change.
  void require_own(const std::string& storage) const { require_cluster(storage, cluster_uuid()); }

  // Stores `from` under the stem, in all storages at once; an object of 64 GiB goes on as the next.
  // `from` ending well is a precondition for anything to be finished. Throws Error(failed) when
  // fewer than `minimum` copies are whole, and then removes what is there. Thread-safe.
  struct PutOptions {
    std::string stem;
    BackupType type = BackupType::full_database;
    Uuid backup;
    Compression compression;
    unsigned minimum = 1;
    std::uint64_t object_limit = std::uint64_t{64} << 30;  // stored bytes; smaller in tests
    std::uint64_t frame_limit = kMaxFrames;                // of one object; smaller in tests
  };
  PutResult put(const PutOptions& options, Source& from);
  // Writes the manifest to the storages of `copies` that are ok: from then on the backup exists.
  // (One where this run's heartbeat is gone gets none: another run has swept its data away.)
  // The outcomes of those whose manifest could not be written change. Throws when fewer than
  // `minimum` are left, having removed everything.
  void commit(const Manifest& manifest, std::string_view stem, unsigned minimum,
              std::vector<CopyOutcome>& copies);
  // Removes the heartbeats beside whole copies, once the catalog knows the backup: until then they
  // lead the next run to a backup that a killed one had made. (Where a copy failed, the heartbeat
  // stays: it leads the next run that reaches that storage to what is left there.)
  void end_heartbeats(std::string_view stem, const std::vector<CopyOutcome>& copies) noexcept;
  // Removes manifest, data objects and heartbeat under a stem, in that order, in every storage.
  void abandon(std::string_view stem, const std::vector<std::string>& objects) noexcept;

  // A backup's plain bytes, decompressed, to `to` (which is finished at the end). Frame k that does
  // not come or does not open is taken from the next copy. Throws Error(integrity) naming copies
  // and place when no copy has it. `order`: storages to read, best first.
  GetResult get(const Manifest& manifest, const std::vector<std::string>& order, Sink& to);

  // One copy: its data objects and its manifest against `manifest`.
  CopyCheck check(const Manifest& manifest, std::string_view storage, CheckDepth depth);

  // The manifest of a stem from the first storage of `order` where it opens.
  std::optional<Manifest> manifest(std::string_view stem, const std::vector<std::string>& order,
                                   std::vector<CopyCheck>* bad_copies = nullptr);

 private:
  ClusterFile require_mark(std::string_view storage) const;
  void require_cluster(const std::string& storage, const Uuid& uuid) const;
  void remove_quietly(const std::string& storage, const std::vector<std::string>& names) noexcept;
  void abandon_in(const std::string& storage, std::string_view stem,
                  const std::vector<std::string>& objects) noexcept;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
