#include "crypto/key.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <memory>
#include <new>

#include "base/error.h"
#include "crypto/digest.h"

namespace bkp {
namespace {

constexpr std::string_view kWrapLabel = "bkp v1 wrap";
constexpr std::size_t kKeySize = 32;
constexpr std::size_t kWrappedSize = kKeySize + 8;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* it) const { EVP_CIPHER_CTX_free(it); }
};

enum class Way { wrap, unwrap };

// AES Key Wrap with RFC 3394's own initial value; empty when the wrapped bytes do not open.
Secret key_wrap(Way way, const Key256& wrapping_key, ByteView in) {
  const std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
  if (!context) throw std::bad_alloc();
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  if (EVP_CipherInit_ex(context.get(), EVP_aes_256_wrap(), nullptr,
                        reinterpret_cast<const unsigned char*>(wrapping_key.reveal().data()),
                        nullptr, way == Way::wrap ? 1 : 0) != 1)
    throw Error(ErrorCode::failed, "cannot start AES key wrap");
  std::array<std::byte, kWrappedSize + 8> out;
  int size = 0;
  const int done = EVP_CipherUpdate(context.get(), reinterpret_cast<unsigned char*>(out.data()),
                                    &size, reinterpret_cast<const unsigned char*>(in.data()),
                                    static_cast<int>(in.size()));
  Secret result;
  if (done == 1 && size > 0) result = Secret(ByteView(out).first(static_cast<std::size_t>(size)));
  OPENSSL_cleanse(out.data(), out.size());
  return result;
}

}  // namespace

Key256 derive_key(const Key256& master, std::string_view label) {
  // One block of output: T(1) = HMAC(PRK, info || 0x01), with PRK = HMAC(salt of zeros, master).
  const Secret pseudorandom(hmac_sha256(Digest256{}, master.reveal()));
  Bytes info = to_bytes(label);
  info.push_back(std::byte{1});
  return Key256(ByteView(hmac_sha256(pseudorandom.reveal(), info)));
}

Key256 random_key() {
  std::array<std::byte, kKeySize> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw_errno("cannot read the kernel's random numbers");
  Key256 key{ByteView(bytes)};
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return key;
}

KeyRing::KeyRing(std::vector<MasterKey> keys, std::string file)
    : keys_(std::move(keys)), file_(std::move(file)) {
  for (auto key = keys_.begin(); key != keys_.end(); ++key) {
    if (key->secret.reveal().size() != kKeySize)
      throw Error(ErrorCode::usage, fmt::format("key '{}' is not of 32 bytes", key->id.text()));
    if (std::any_of(keys_.begin(), key, [&](const auto& other) { return other.id == key->id; }))
      throw Error(ErrorCode::usage, fmt::format("key '{}' is there twice", key->id.text()));
  }
  const auto active = std::count_if(keys_.begin(), keys_.end(), [](const MasterKey& key) {
    return key.state == KeyState::active;
  });
  if (active != 1)
    throw Error(ErrorCode::usage,
                fmt::format("{} of {} keys are active, one must be", active, keys_.size()),
                "set state = \"active\" on the key for new backups, \"standby\" on the others");
}

const MasterKey& KeyRing::active() const {
  for (const MasterKey& key : keys_)
    if (key.state == KeyState::active) return key;
  throw Error(ErrorCode::usage, "there is no key", "run 'bkp key generate'");
}

const MasterKey* KeyRing::find(const Uuid& id) const {
  for (const MasterKey& key : keys_)
    if (key.id == id) return &key;
  return nullptr;
}

KeyRing KeyRing::with_escrow(std::vector<Uuid> ids) const {
  KeyRing ring = *this;
  ring.escrow_ = std::move(ids);
  return ring;
}

std::vector<Uuid> KeyRing::recipients() const {
  std::vector<Uuid> ids{active().id};
  for (const Uuid& id : escrow_) {
    const MasterKey* const key = find(id);
    if (key == nullptr)
      throw Error(
          ErrorCode::usage,
          fmt::format("also_for names key '{}', which is not in the key file{}", id.text(), from()),
          "'bkp key import FILE' adds it; or take it out of also_for in [encryption]");
    if (key->state == KeyState::retired)
      throw Error(ErrorCode::usage,
                  fmt::format("also_for names key '{}', which is retired", id.text()),
                  "take it out of also_for in [encryption]");
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ids;
}

std::string KeyRing::from() const { return file_.empty() ? "" : " '" + file_ + "'"; }

KeySlot KeyRing::wrap_for(const Uuid& id, const Key256& key) const {
  const MasterKey* const master = find(id);
  if (master == nullptr)
    throw Error(ErrorCode::failed, fmt::format("key '{}' is not here", id.text()));
  const Secret wrapped = key_wrap(Way::wrap, derive_key(master->secret, kWrapLabel), key.reveal());
  if (wrapped.reveal().size() != kWrappedSize) throw Error(ErrorCode::failed, "cannot wrap a key");
  return {SlotType::aes256_master, id, to_bytes(wrapped.reveal())};
}

KeySlot KeyRing::wrap(const Key256& key) const { return wrap_for(active().id, key); }

std::vector<KeySlot> KeyRing::slots_for(const Key256& key) const {
  std::vector<KeySlot> slots;
  for (const Uuid& id : recipients()) slots.push_back(wrap_for(id, key));
  return slots;
}

Key256 KeyRing::unwrap(std::span<const KeySlot> slots) const {
  std::string ids;
  std::string damaged;
  for (const KeySlot& slot : slots) {
    ids += (ids.empty() ? "'" : ", '") + slot.key_id.text() + "'";
    const MasterKey* const master = find(slot.key_id);
    if (slot.type != SlotType::aes256_master || master == nullptr) continue;
    if (slot.wrapped.size() == kWrappedSize) {
      Key256 key = key_wrap(Way::unwrap, derive_key(master->secret, kWrapLabel), slot.wrapped);
      if (key.reveal().size() == kKeySize) return key;
    }
    damaged = slot.key_id.text();
  }
  if (!damaged.empty())
    throw Error(ErrorCode::integrity, fmt::format("the slot of key '{}' does not open", damaged));
  throw Error(ErrorCode::failed,
              fmt::format("it is sealed for key {}, which is not in the key file{}",
                          ids.empty() ? "none" : ids, from()),
              "'bkp key import FILE' adds a key from the recovery kit or another host's key file");
}

MasterKey generate_master_key(KeyState state, TimePoint now) {
  return {Uuid::random(), state, now, random_key()};
}

}  // namespace bkp
