#include "repo/sealed_object.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "stream/memory_stream.h"
#include "stream/parallel_sink.h"

namespace bkp {

namespace {

Error damage(std::string_view name, std::string_view why) {
  return {ErrorCode::integrity, fmt::format("object '{}': {}", name, why)};
}

}  // namespace

Bytes seal_object(ContainerHeader header, const Compression& compression, const KeyRing& keys,
                  WorkerPool& pool, ByteView plain) {
  header.codec = compression.codec;
  const Key256 key = random_key();
  const std::vector<KeySlot> slots = keys.slots_for(key);
  MemorySink stored;
  ContainerSink container(stored, header, slots, key, pool);
  ParallelSink compressed([&compression](ByteView block, std::uint64_t,
                                         bool) { return compress_block(compression, block); },
                          container, pool, header.frame_size);
  compressed.write(plain);
  compressed.finish();
  return stored.data();
}

Bytes open_object(ByteView stored, std::string_view name, const Uuid& cluster, const KeyRing& keys,
                  std::size_t limit) {
  if (stored.size() < kTrailerSize) throw damage(name, "is cut");
  const ContainerPrefix prefix = parse_prefix(stored.first(std::min(stored.size(), kMaxPrefix)));
  if (prefix.header.name != name || prefix.header.cluster != cluster || prefix.header.part != 1)
    throw damage(name, fmt::format("its header is of another object ('{}')", prefix.header.name));
  const FrameCipher cipher(prefix.header.suite, prefix.header_bytes, keys.unwrap(prefix.slots));
  const std::uint64_t tail = parse_trailer(stored.last(kTrailerSize));
  if (prefix.size > stored.size() || tail > stored.size() - prefix.size)
    throw damage(name, "its index is longer than the object");
  const std::vector<std::uint32_t> sizes = cipher.open_index(stored.last(tail));
  ByteView rest = stored.subspan(prefix.size, stored.size() - prefix.size - tail);
  Bytes plain;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const bool last = i + 1 == sizes.size();
    if (sizes[i] < kFrameHead || sizes[i] > rest.size())
      throw damage(name, "its index does not add up");
    const FrameHead head = parse_frame_head(rest.first(kFrameHead));
    if (head.last != last || head.sealed_size != sizes[i] - kFrameHead)
      throw damage(name, "the head of a frame is wrong");
    append(plain, decompress_block(prefix.header.codec,
                                   cipher.open(rest.subspan(kFrameHead, head.sealed_size), i, last),
                                   prefix.header.frame_size));
    if (plain.size() > limit) throw damage(name, "is too large");
    rest = rest.subspan(sizes[i]);
  }
  if (sizes.empty() || !rest.empty()) throw damage(name, "its index does not add up");
  return plain;
}

}  // namespace bkp
