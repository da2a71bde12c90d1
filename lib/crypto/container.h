// The byte format of every data object, specified in bkp-container(5): a header that is bound to
// every frame, key slots, sealed frames, a sealed index of frames, a trailer. This header holds the
// format; who stores and fetches objects is repo/.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "stream/codec.h"
#include "stream/parallel_sink.h"
#include "stream/stream.h"

namespace bkp {

enum class Suite : std::uint8_t { aes_256_gcm = 1, aes_256_cbc_hmac_sha256 = 2 };
std::string_view suite_name(Suite suite);  // "aes-256-gcm", …
Suite parse_suite(std::string_view name);  // throws Error(usage)

// Known before the first byte of a segment is read; zero and empty for other objects.
struct WalFields {
  std::uint64_t system_identifier = 0;
  std::string segment;       // the file's name, at most 64 bytes
  std::uint64_t length = 0;  // plain bytes
  Digest256 hmac{};          // of the plain bytes, under the key of that label
  friend bool operator==(const WalFields&, const WalFields&) = default;
};

struct ContainerHeader {
  Suite suite = Suite::aes_256_gcm;
  Codec codec = Codec::gzip;
  std::uint32_t frame_size =
      1 << 20;  // plain bytes of every frame but the last; a power of two, 4 KiB … 1 MiB
  std::uint32_t part = 1;  // 1 for the first object of a stream, 2, 3, … for those after 64 GiB
  Uuid cluster;
  Uuid backup;       // nil for WAL
  std::string name;  // the object's name in the storage, at most 900 bytes
  std::optional<WalFields> wal;
  friend bool operator==(const ContainerHeader&, const ContainerHeader&) = default;
};

// The header's bytes: what every frame is bound to. Throws Error(failed) for a value out of range.
Bytes encode_header(const ContainerHeader& header);

struct ContainerPrefix {
  ContainerHeader header;
  Bytes header_bytes;
  std::vector<KeySlot> slots;
  std::size_t size = 0;  // header and slots: where the first frame begins
};
Bytes encode_slots(std::span<const KeySlot> slots);
// From the first bytes of an object (kMaxPrefix are always enough). Strict. Throws
// Error(integrity).
ContainerPrefix parse_prefix(ByteView start);
inline constexpr std::size_t kMaxPrefix = 4096;

// A frame on disk: u32 big-endian, top bit the last-mark, the rest the length of the sealed bytes;
// then the sealed bytes.
inline constexpr std::size_t kFrameHead = 4;
struct FrameHead {
  std::uint32_t sealed_size = 0;
  bool last = false;
};
FrameHead parse_frame_head(ByteView four);  // throws Error(integrity) past the largest frame
std::uint32_t sealed_size(Suite suite, std::size_t compressed_size);

// Seals and opens frames of one object. Thread-safe.
class FrameCipher {
 public:
  // `header_bytes` as encode_header gives them; `key` is the object's random key.
  FrameCipher(Suite suite, Bytes header_bytes, const Key256& key);
  ~FrameCipher();
  FrameCipher(FrameCipher&&) noexcept;

  // Compressed bytes → frame head and sealed bytes.
  Bytes seal(ByteView compressed, std::uint64_t index, bool last) const;
  // Sealed bytes (without the head) → compressed bytes. Throws Error(integrity).
  Bytes open(ByteView sealed, std::uint64_t index, bool last) const;
  // The index after the last frame: the stored size of each frame, head included; sealed; then the
  // trailer. And the reverse, from the object's end.
  Bytes seal_index(std::span<const std::uint32_t> frame_sizes) const;
  std::vector<std::uint32_t> open_index(ByteView index_and_trailer) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What the index of one object holds at the most.
inline constexpr std::size_t kMaxFrames = 1 << 20;

// The last kTrailerSize bytes of an object: how long the sealed index before it is.
inline constexpr std::size_t kTrailerSize = 16;
// → the size of index and trailer together. Throws Error(integrity).
std::uint64_t parse_trailer(ByteView trailer);

// Writes one whole object to `to`: prefix, then each write() — one compressed frame — sealed in
// parallel, then index and trailer at finish(). Not thread-safe.
class ContainerSink final : public Sink {
 public:
  ContainerSink(Sink& to, const ContainerHeader& header, std::span<const KeySlot> slots,
                const Key256& key, WorkerPool& pool);
  ~ContainerSink() override;
  void write(ByteView compressed_frame) override;
  void finish() override;
  // The object's size if it ended after one more frame of this many compressed bytes.
  std::uint64_t size_with(std::size_t compressed_size) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
