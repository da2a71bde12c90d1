#include "support/open_container.h"

#include "base/error.h"

namespace bkp {
namespace {

Error refuse(const char* why) { return {ErrorCode::integrity, why}; }

}  // namespace

Bytes open_container(ByteView object, const KeyRing& keys,
                     std::optional<std::span<const KeySlot>> slots) {
  const ContainerPrefix prefix = parse_prefix(object);
  const Key256 key = keys.unwrap(slots ? *slots : prefix.slots);
  const FrameCipher cipher(prefix.header.suite, prefix.header_bytes, key);
  Bytes plain;
  std::vector<std::uint32_t> sizes;
  ByteView rest = object.subspan(prefix.size);
  for (bool last = false; !last;) {
    const FrameHead head = parse_frame_head(rest);
    const std::size_t stored = kFrameHead + head.sealed_size;
    if (rest.size() < stored) throw refuse("cut off in a frame");
    last = head.last;
    const Bytes block = decompress_block(
        prefix.header.codec,
        cipher.open(rest.subspan(kFrameHead, head.sealed_size), sizes.size(), last),
        prefix.header.frame_size);
    if (!last && block.size() != prefix.header.frame_size) throw refuse("a frame is too short");
    if (last && block.empty() && !sizes.empty()) throw refuse("the last frame is empty");
    append(plain, block);
    sizes.push_back(static_cast<std::uint32_t>(stored));
    rest = rest.subspan(stored);
  }
  if (cipher.open_index(rest) != sizes) throw refuse("the index does not match the frames");
  if (const auto& wal = prefix.header.wal;
      wal && (wal->length != plain.size() ||
              wal->hmac != hmac_sha256(derive_key(key, "bkp v1 wal mac").reveal(), plain)))
    throw refuse("not the WAL file that the header tells of");
  return plain;
}

}  // namespace bkp
