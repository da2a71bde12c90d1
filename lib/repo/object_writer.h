// Compressed frames → the data objects of one backup, in every storage at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "crypto/container.h"
#include "crypto/key.h"
#include "repo/manifest.h"
#include "stream/fan_out.h"
#include "stream/stream.h"
#include "stream/worker_pool.h"

namespace bkp {

// One storage an object goes to: opens the sink of the object of that name there.
struct Destination {
  std::string storage;
  std::function<std::unique_ptr<Sink>(const std::string& name, std::stop_token)> create;
};

struct ObjectWriterOptions {
  ContainerHeader header;  // of the first object; name and part are set for each
  std::function<std::string(unsigned part)> name;
  // Stored bytes at which an object ends and the next one begins: below every store's limit for one
  // object (10,000 parts of 16 MiB).
  std::uint64_t object_limit = std::uint64_t{64} << 30;
  std::uint64_t frame_limit = kMaxFrames;  // the same in frames: data that packs very well
};

// Each write() is one compressed frame. Seals frames in parallel, hashes what is stored, fans it
// out. Destroyed before finish(), it leaves no unfinished object; finished ones are the caller's to
// remove (objects() names them).
class ObjectWriter final : public Sink {
 public:
  ObjectWriter(ObjectWriterOptions options, std::vector<Destination> destinations,
               const KeyRing& keys, WorkerPool& pool);
  ~ObjectWriter() override;

  void write(ByteView frame) override;
  // The stream is whole; returns before slow storages have everything.
  void finish() override;
  // After finish(): waits for all storages; results in the order of destinations.
  std::vector<LegResult> wait();
  // Every object begun, in order; sizes and digests are right after finish().
  const std::vector<StoredObject>& objects() const { return objects_; }

 private:
  struct Open;
  void begin_object();
  void end_object();
  std::vector<Leg> legs(const std::string& name) const;

  ObjectWriterOptions options_;
  std::vector<Destination> destinations_;
  const KeyRing& keys_;
  WorkerPool& pool_;
  std::vector<StoredObject> objects_;
  std::vector<std::unique_ptr<FanOut>> fan_outs_;  // one an object, kept until its legs are done
  std::unique_ptr<Open> open_;
};

}  // namespace bkp
