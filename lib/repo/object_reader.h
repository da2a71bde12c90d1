// One data object read frame by frame from any of its copies: they are byte-identical, so a frame
// that one copy does not give, or gives damaged, is taken from the next at the same offset.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/container.h"
#include "repo/manifest.h"
#include "storage/storage.h"
#include "stream/worker_pool.h"

namespace bkp {

struct ObjectCopy {
  std::string storage;
  std::shared_ptr<Storage> from;
};

// A copy that did not serve: `problem` names object and place.
struct BadCopy {
  std::string storage;
  enum class Kind { missing, damaged, unreachable } kind = Kind::damaged;
  std::string problem;
};

// What the object must be, from the manifest.
struct ExpectedObject {
  StoredObject stored;
  ContainerHeader header;  // with name and part of this object; its frame size is the object's own
  Key256 key;
};

// The plan of an object: where each frame lies. Proved by the seal of its index.
struct ObjectLayout {
  ContainerHeader header;
  Bytes header_bytes;
  std::vector<std::uint64_t> offsets;  // of each frame; one more: where the index begins
  std::size_t frames() const { return offsets.size() - 1; }
};

// Reads and proves one copy's layout. Throws Error (integrity where it is damaged).
ObjectLayout read_layout(Storage& storage, const ExpectedObject& expected);

class ObjectReader {
 public:
  // `copies`: best first. Nothing is read yet.
  ObjectReader(ExpectedObject expected, std::vector<ObjectCopy> copies, WorkerPool& pool);
  ~ObjectReader();

  // Every frame, opened and decompressed in parallel, in order, into `to` (not finished: an object
  // may be one of several). Throws Error(integrity) naming copies and place when no copy gives a
  // frame; Error(failed) when none could be asked.
  void read_all(Sink& to);

  // Storages that served, in the order they were used; those that did not, with the reason. Valid
  // after read_all(), also when it threw.
  const std::vector<std::string>& served_by() const;
  std::vector<BadCopy> bad_copies() const;

 private:
  class Pass;
  struct Shared;
  ObjectLayout find_layout();

  ExpectedObject expected_;
  WorkerPool& pool_;
  std::unique_ptr<Shared> shared_;
};

// Proves one copy from its first byte to its last: SHA-256, and with `seals` every frame. Empty:
// good. Otherwise what is wrong and where. Throws StorageUnreachable.
enum class Seals { no, yes };
std::string prove_copy(Storage& storage, const ExpectedObject& expected, Seals seals,
                       WorkerPool& pool);

}  // namespace bkp
