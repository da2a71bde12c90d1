#include "repo/object_writer.h"

#include <utility>

#include "crypto/measured.h"

namespace bkp {
// The object that is being written.
struct ObjectWriter::Open {
  Open(FanOut& to, const ContainerHeader& header, std::span<const KeySlot> slots, const Key256& key,
       WorkerPool& pool)
      : measured(to), container(measured, header, slots, key, pool) {}
  MeasuredSink measured;
  ContainerSink container;
  std::uint64_t frames = 0;
};

ObjectWriter::ObjectWriter(ObjectWriterOptions options, std::vector<Destination> destinations,
                           const KeyRing& keys, WorkerPool& pool)
    : options_(std::move(options)),
      destinations_(std::move(destinations)),
      keys_(keys),
      pool_(pool) {}

ObjectWriter::~ObjectWriter() = default;

std::vector<Leg> ObjectWriter::legs(const std::string& name) const {
  std::vector<Leg> legs;
  for (const Destination& destination : destinations_)
    legs.push_back({destination.storage, [create = destination.create, name](std::stop_token stop) {
                      return create(name, std::move(stop));
                    }});
  return legs;
}

void ObjectWriter::begin_object() {
  const unsigned part = static_cast<unsigned>(objects_.size()) + 1;
  ContainerHeader header = options_.header;
  header.part = part;
  header.name = options_.name(part);
  const Key256 key = random_key();
  StoredObject object;
  object.name = header.name;
  object.slots = keys_.slots_for(key);
  fan_outs_.push_back(std::make_unique<FanOut>(legs(object.name), FanOutOptions{}));
  open_ = std::make_unique<Open>(*fan_outs_.back(), header, object.slots, key, pool_);
  objects_.push_back(std::move(object));
}

void ObjectWriter::end_object() {
  open_->container.finish();  // and with it the fan-out's input
  objects_.back().size = open_->measured.size();
  objects_.back().sha256 = open_->measured.digest();
  open_.reset();
}

void ObjectWriter::write(ByteView frame) {
  if (open_ && open_->frames > 0 &&
      (open_->frames >= options_.frame_limit ||
       open_->container.size_with(frame.size()) > options_.object_limit))
    end_object();
  if (!open_) begin_object();
  open_->container.write(frame);
  ++open_->frames;
}

void ObjectWriter::finish() {
  if (!open_) begin_object();
  end_object();
}

std::vector<LegResult> ObjectWriter::wait() {
  std::vector<LegResult> results;
  for (const Destination& destination : destinations_)
    results.push_back({destination.storage, nullptr});
  for (const std::unique_ptr<FanOut>& fan_out : fan_outs_) {
    const std::vector<LegResult> legs = fan_out->wait();
    for (std::size_t i = 0; i < legs.size(); ++i)
      if (legs[i].error && !results[i].error) results[i].error = legs[i].error;
  }
  return results;
}

}  // namespace bkp
