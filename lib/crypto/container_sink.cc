#include "crypto/container.h"

namespace bkp {
namespace {

// Behind the sealing: puts the prefix before the first frame, the index after the last.
class IndexingSink final : public Sink {
 public:
  IndexingSink(Sink& to, Bytes prefix, const FrameCipher& cipher)
      : to_(to), prefix_(std::move(prefix)), cipher_(cipher) {}

  void write(ByteView frame) override {
    if (sizes_.empty()) to_.write(prefix_);
    sizes_.push_back(static_cast<std::uint32_t>(frame.size()));
    to_.write(frame);
  }
  void finish() override {
    to_.write(cipher_.seal_index(sizes_));
    to_.finish();
  }

 private:
  Sink& to_;
  Bytes prefix_;
  const FrameCipher& cipher_;
  std::vector<std::uint32_t> sizes_;
};

Bytes prefix_of(const ContainerHeader& header, std::span<const KeySlot> slots) {
  Bytes prefix = encode_header(header);
  append(prefix, encode_slots(slots));
  return prefix;
}

}  // namespace

struct ContainerSink::State {
  State(Sink& to, const ContainerHeader& header, std::span<const KeySlot> slots, const Key256& key,
        WorkerPool& pool)
      : suite(header.suite),
        codec(header.codec),
        stored(prefix_of(header, slots).size()),
        cipher(header.suite, encode_header(header), key),
        indexing(to, prefix_of(header, slots), cipher),
        sealing([this](ByteView block, std::uint64_t index,
                       bool last) { return seal(block, index, last); },
                indexing, pool, 0) {}

  Bytes seal(ByteView block, std::uint64_t index, bool last) const {
    // A stream that was never written to has one frame all the same: the packed nothing.
    if (block.empty()) return cipher.seal(compress_block({codec, 1}, {}), index, last);
    return cipher.seal(block, index, last);
  }

  Suite suite;
  Codec codec;
  std::uint64_t stored;  // prefix and frames written so far, sealed
  std::uint64_t frames = 0;
  FrameCipher cipher;
  IndexingSink indexing;
  ParallelSink sealing;
};

ContainerSink::ContainerSink(Sink& to, const ContainerHeader& header,
                             std::span<const KeySlot> slots, const Key256& key, WorkerPool& pool)
    : state_(std::make_unique<State>(to, header, slots, key, pool)) {}
ContainerSink::~ContainerSink() = default;

void ContainerSink::write(ByteView compressed_frame) {
  if (compressed_frame.empty()) return;
  state_->stored += kFrameHead + sealed_size(state_->suite, compressed_frame.size());
  ++state_->frames;
  state_->sealing.write(compressed_frame);
}

void ContainerSink::finish() { state_->sealing.finish(); }

std::uint64_t ContainerSink::size_with(std::size_t compressed_size) const {
  return state_->stored + kFrameHead + sealed_size(state_->suite, compressed_size) +
         sealed_size(state_->suite, 4 * (state_->frames + 1)) + kTrailerSize;
}

}  // namespace bkp
