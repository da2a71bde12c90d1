#include "backup/secret_seal.h"

#include "base/error.h"
#include "stream/codec.h"
#include "stream/memory_stream.h"
#include "stream/parallel_sink.h"

namespace bkp {
namespace {

constexpr Compression kCompression{Codec::gzip, 9};

Error damaged(std::string_view why) {
  return {ErrorCode::integrity, "a sealed file is damaged: " + std::string(why)};
}

ContainerHeader header_of(const SecretPlace& place, Suite suite) {
  ContainerHeader header;
  header.suite = suite;
  header.codec = kCompression.codec;
  header.cluster = place.cluster;
  header.backup = place.backup;
  // A path may be longer than a name in a header, and of any bytes.
  header.name = "secret/" + to_hex(sha256(as_bytes(place.path)));
  return header;
}

SecretProof prove_under(const MasterKey& key, ByteView plain) {
  return {key.id, hmac_sha256(derive_key(key.secret, "bkp v1 secret file").reveal(), plain)};
}

}  // namespace

Bytes seal_secret(const SecretPlace& place, ByteView plain, const KeyRing& keys, Suite suite,
                  WorkerPool& pool) {
  const Key256 key = random_key();
  const std::vector<KeySlot> slots = keys.slots_for(key);
  const ContainerHeader header = header_of(place, suite);
  MemorySink sealed;
  ContainerSink container(sealed, header, slots, key, pool);
  for (ByteView rest = plain; !rest.empty();) {
    const ByteView block = rest.first(std::min<std::size_t>(rest.size(), header.frame_size));
    container.write(compress_block(kCompression, block));
    rest = rest.subspan(block.size());
  }
  container.finish();
  return sealed.data();
}

Bytes open_secret(const SecretPlace& place, ByteView sealed, const KeyRing& keys) {
  const ContainerPrefix prefix = parse_prefix(sealed.first(std::min(sealed.size(), kMaxPrefix)));
  ContainerHeader expected = header_of(place, prefix.header.suite);
  expected.codec = prefix.header.codec;
  expected.frame_size = prefix.header.frame_size;
  if (prefix.header != expected) throw damaged("it is of another file or another snapshot");
  if (sealed.size() < prefix.size + kTrailerSize) throw damaged("it is cut short");
  const FrameCipher cipher(prefix.header.suite, prefix.header_bytes, keys.unwrap(prefix.slots));
  const std::uint64_t tail = parse_trailer(sealed.last(kTrailerSize));
  if (tail > sealed.size() - prefix.size) throw damaged("it is cut short");
  const std::vector<std::uint32_t> sizes = cipher.open_index(sealed.last(tail));
  ByteView frames = sealed.subspan(prefix.size, sealed.size() - prefix.size - tail);
  Bytes plain;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > frames.size() || sizes[i] < kFrameHead) throw damaged("a frame is cut short");
    const ByteView frame = frames.first(sizes[i]);
    frames = frames.subspan(sizes[i]);
    const FrameHead head = parse_frame_head(frame.first(kFrameHead));
    const bool last = i + 1 == sizes.size();
    if (head.last != last || head.sealed_size + kFrameHead != sizes[i])
      throw damaged("a frame is not as long as the index says");
    append(plain,
           decompress_block(prefix.header.codec, cipher.open(frame.subspan(kFrameHead), i, last),
                            prefix.header.frame_size));
    if (plain.size() > kLargestSecret) throw damaged("it is longer than it may be");
  }
  if (!frames.empty()) throw damaged("bytes behind its last frame");
  return plain;
}

SecretProof prove_secret(ByteView plain, const KeyRing& keys) {
  return prove_under(keys.active(), plain);
}

std::optional<SecretProof> prove_secret_again(ByteView plain, const KeyRing& keys,
                                              const SecretProof& of) {
  const MasterKey* key = keys.find(of.key_id);
  if (key == nullptr) return std::nullopt;
  return prove_under(*key, plain);
}

}  // namespace bkp
