#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <new>
#include <utility>

#include "base/error.h"
#include "crypto/container.h"

namespace bkp {
namespace {

constexpr std::uint32_t kLastMark = 0x8000'0000;
// A frame that does not compress grows: by 600 bytes with gzip, 4 KiB with zstd.
constexpr std::uint32_t kLargestSealed = (1 << 20) + (64 << 10);
constexpr std::string_view kTrailerMagic = "bkpi\r\n\x1a\n";

constexpr std::size_t kTag = 16;
constexpr std::size_t kBlock = 16;  // of AES, and so the size of CBC's IV
constexpr std::size_t kMac = 32;

// The last byte of a nonce: what a sealed piece is.
enum class Mark : std::uint8_t { frame = 0, last_frame = 1, index = 2 };

// Made for each frame and wiped with it: it holds a key's schedule. Against the time that a frame
// takes, making one is nothing.
struct FreeContext {
  void operator()(EVP_CIPHER_CTX* it) const { EVP_CIPHER_CTX_free(it); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

Context new_context() {
  Context context(EVP_CIPHER_CTX_new());
  if (!context) throw std::bad_alloc();
  return context;
}

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

void need(int result) {
  if (result != 1) throw Error(ErrorCode::failed, "cannot encrypt: OpenSSL failed");
}

Error does_not_open() {
  return {ErrorCode::integrity, "its seal is broken: it was changed, moved or cut"};
}

Bytes counter_and_mark(std::uint64_t counter, Mark mark) {
  Bytes out;
  append_be64(out, counter);
  out.push_back(static_cast<std::byte>(mark));
  return out;
}

Bytes gcm_nonce(std::uint64_t counter, Mark mark) {
  Bytes nonce(3);
  append(nonce, counter_and_mark(counter, mark));
  return nonce;
}

// Both leave `head` bytes free before what they seal.
Bytes seal_gcm(const Key256& key, ByteView bound, ByteView plain, std::uint64_t counter, Mark mark,
               std::size_t head) {
  const Context context = new_context();
  const Bytes nonce = gcm_nonce(counter, mark);
  Bytes out(head + plain.size() + kTag);
  std::byte* const sealed = out.data() + head;
  int size = 0;
  need(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(key.reveal().data()),
                          raw(nonce.data())));
  need(EVP_EncryptUpdate(context.get(), nullptr, &size, raw(bound.data()),
                         static_cast<int>(bound.size())));
  need(EVP_EncryptUpdate(context.get(), raw(sealed), &size, raw(plain.data()),
                         static_cast<int>(plain.size())));
  need(EVP_EncryptFinal_ex(context.get(), raw(sealed + plain.size()), &size));
  need(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTag, sealed + plain.size()));
  return out;
}

Bytes open_gcm(const Key256& key, ByteView bound, ByteView sealed, std::uint64_t counter,
               Mark mark) {
  if (sealed.size() < kTag) throw does_not_open();
  const Context context = new_context();
  const Bytes nonce = gcm_nonce(counter, mark);
  const ByteView ciphertext = sealed.first(sealed.size() - kTag);
  Bytes tag = to_bytes(sealed.last(kTag));
  Bytes plain(ciphertext.size());
  int size = 0;
  need(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(key.reveal().data()),
                          raw(nonce.data())));
  need(EVP_DecryptUpdate(context.get(), nullptr, &size, raw(bound.data()),
                         static_cast<int>(bound.size())));
  need(EVP_DecryptUpdate(context.get(), raw(plain.data()), &size, raw(ciphertext.data()),
                         static_cast<int>(ciphertext.size())));
  need(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTag, tag.data()));
  std::array<unsigned char, kBlock> nothing;
  if (EVP_DecryptFinal_ex(context.get(), nothing.data(), &size) != 1) throw does_not_open();
  return plain;
}

// HMAC over header, counter, mark, IV and ciphertext; the mark's place and the header's own size
// leave no two splits of the same bytes.
Digest256 cbc_mac(const Key256& key, ByteView bound, ByteView iv_and_ciphertext,
                  std::uint64_t counter, Mark mark) {
  Bytes message;
  message.reserve(bound.size() + 9 + iv_and_ciphertext.size());
  append(message, bound);
  append(message, counter_and_mark(counter, mark));
  append(message, iv_and_ciphertext);
  return hmac_sha256(key.reveal(), message);
}

std::size_t cbc_size(std::size_t plain) { return (plain / kBlock + 1) * kBlock; }

Bytes seal_cbc(const Key256& key, const Key256& mac_key, ByteView bound, ByteView plain,
               std::uint64_t counter, Mark mark, std::size_t head) {
  const Context context = new_context();
  Bytes out(head + kBlock + cbc_size(plain.size()) + kMac);
  std::byte* const iv = out.data() + head;
  std::byte* const ciphertext = iv + kBlock;
  need(RAND_bytes(raw(iv), kBlock));
  int size = 0;
  int rest = 0;
  need(EVP_EncryptInit_ex(context.get(), EVP_aes_256_cbc(), nullptr, raw(key.reveal().data()),
                          raw(iv)));
  need(EVP_EncryptUpdate(context.get(), raw(ciphertext), &size, raw(plain.data()),
                         static_cast<int>(plain.size())));
  need(EVP_EncryptFinal_ex(context.get(), raw(ciphertext + size), &rest));
  const Digest256 mac =
      cbc_mac(mac_key, bound, ByteView(out).subspan(head, out.size() - head - kMac), counter, mark);
  std::copy(mac.begin(), mac.end(), out.end() - kMac);
  return out;
}

Bytes open_cbc(const Key256& key, const Key256& mac_key, ByteView bound, ByteView sealed,
               std::uint64_t counter, Mark mark) {
  if (sealed.size() < 2 * kBlock + kMac) throw does_not_open();
  const ByteView signed_part = sealed.first(sealed.size() - kMac);
  if (!equal_digests(cbc_mac(mac_key, bound, signed_part, counter, mark), sealed.last(kMac)))
    throw does_not_open();
  const Context context = new_context();
  const ByteView ciphertext = signed_part.subspan(kBlock);
  Bytes plain(ciphertext.size() + kBlock);
  int size = 0;
  int rest = 0;
  need(EVP_DecryptInit_ex(context.get(), EVP_aes_256_cbc(), nullptr, raw(key.reveal().data()),
                          raw(sealed.data())));
  need(EVP_DecryptUpdate(context.get(), raw(plain.data()), &size, raw(ciphertext.data()),
                         static_cast<int>(ciphertext.size())));
  if (EVP_DecryptFinal_ex(context.get(), raw(plain.data() + size), &rest) != 1)
    throw does_not_open();
  plain.resize(static_cast<std::size_t>(size) + static_cast<std::size_t>(rest));
  return plain;
}

void check_frame_size(std::uint32_t sealed) {
  if (sealed < kTag || sealed > kLargestSealed)
    throw Error(ErrorCode::integrity, fmt::format("impossible frame of {} bytes", sealed));
}

}  // namespace

FrameHead parse_frame_head(ByteView four) {
  if (four.size() < kFrameHead) throw Error(ErrorCode::integrity, "cut off in a frame's head");
  const std::uint32_t word = read_be32(four);
  const FrameHead head{word & ~kLastMark, (word & kLastMark) != 0};
  check_frame_size(head.sealed_size);
  return head;
}

std::uint32_t sealed_size(Suite suite, std::size_t compressed_size) {
  const std::size_t size = suite == Suite::aes_256_gcm ? compressed_size + kTag
                                                       : kBlock + cbc_size(compressed_size) + kMac;
  return static_cast<std::uint32_t>(size);
}

std::uint64_t parse_trailer(ByteView trailer) {
  if (trailer.size() != kTrailerSize || as_text(trailer.subspan(8)) != kTrailerMagic)
    throw Error(ErrorCode::integrity, "no end of a container: it is cut off or damaged");
  const std::uint64_t size = read_be64(trailer);
  const std::uint64_t largest = sealed_size(Suite::aes_256_cbc_hmac_sha256, 4 * kMaxFrames);
  if (size < kTag + 4 || size > largest)
    throw Error(ErrorCode::integrity, fmt::format("impossible index of {} bytes", size));
  return size + kTrailerSize;
}

struct FrameCipher::State {
  Suite suite;
  Bytes header_bytes;
  Key256 key;
  Key256 mac_key;  // of the CBC suite

  Bytes seal(ByteView plain, std::uint64_t counter, Mark mark, std::size_t head) const {
    return suite == Suite::aes_256_gcm
               ? seal_gcm(key, header_bytes, plain, counter, mark, head)
               : seal_cbc(key, mac_key, header_bytes, plain, counter, mark, head);
  }
  Bytes open(ByteView sealed, std::uint64_t counter, Mark mark) const {
    return suite == Suite::aes_256_gcm
               ? open_gcm(key, header_bytes, sealed, counter, mark)
               : open_cbc(key, mac_key, header_bytes, sealed, counter, mark);
  }
};

FrameCipher::FrameCipher(Suite suite, Bytes header_bytes, const Key256& key) {
  const bool gcm = suite == Suite::aes_256_gcm;
  state_ = std::make_unique<State>(
      State{suite, std::move(header_bytes),
            derive_key(key, gcm ? "bkp v1 frames aes-256-gcm" : "bkp v1 frames aes-256-cbc"),
            gcm ? Key256() : derive_key(key, "bkp v1 frames hmac-sha256")});
}
FrameCipher::~FrameCipher() = default;
FrameCipher::FrameCipher(FrameCipher&&) noexcept = default;

Bytes FrameCipher::seal(ByteView compressed, std::uint64_t index, bool last) const {
  if (compressed.size() > kLargestSealed - 5 * kBlock)
    throw Error(ErrorCode::failed,
                fmt::format("a frame of {} bytes is too large to seal", compressed.size()));
  Bytes out = state_->seal(compressed, index, last ? Mark::last_frame : Mark::frame, kFrameHead);
  Bytes head;
  append_be32(head, static_cast<std::uint32_t>(out.size() - kFrameHead) | (last ? kLastMark : 0));
  std::copy(head.begin(), head.end(), out.begin());
  return out;
}

Bytes FrameCipher::open(ByteView sealed, std::uint64_t index, bool last) const {
  return state_->open(sealed, index, last ? Mark::last_frame : Mark::frame);
}

Bytes FrameCipher::seal_index(std::span<const std::uint32_t> frame_sizes) const {
  if (frame_sizes.empty() || frame_sizes.size() > kMaxFrames)
    throw Error(ErrorCode::failed, fmt::format("an object has 1 to {} frames, not {}", kMaxFrames,
                                               frame_sizes.size()));
  Bytes plain;
  plain.reserve(frame_sizes.size() * 4);
  for (const std::uint32_t size : frame_sizes) append_be32(plain, size);
  Bytes out = state_->seal(plain, 0, Mark::index, 0);
  append_be64(out, out.size());
  append(out, as_bytes(kTrailerMagic));
  return out;
}

std::vector<std::uint32_t> FrameCipher::open_index(ByteView index_and_trailer) const {
  if (index_and_trailer.size() < kTrailerSize ||
      parse_trailer(index_and_trailer.last(kTrailerSize)) != index_and_trailer.size())
    throw Error(ErrorCode::integrity, "the index is not of the size that the trailer says");
  const Bytes plain = state_->open(index_and_trailer.first(index_and_trailer.size() - kTrailerSize),
                                   0, Mark::index);
  if (plain.empty() || plain.size() % 4 != 0)
    throw Error(ErrorCode::integrity, "the index is no list of sizes");
  std::vector<std::uint32_t> sizes;
  sizes.reserve(plain.size() / 4);
  for (std::size_t at = 0; at < plain.size(); at += 4) {
    sizes.push_back(read_be32(ByteView(plain).subspan(at)));
    check_frame_size(sizes.back() - static_cast<std::uint32_t>(kFrameHead));
  }
  return sizes;
}

}  // namespace bkp
