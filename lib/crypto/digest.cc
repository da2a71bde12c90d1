#include "crypto/digest.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

#include <new>
#include <utility>

#include "base/error.h"

namespace bkp {
namespace {

template <std::size_t size>
std::array<std::byte, size> digest_of(const EVP_MD* kind, ByteView data) {
  std::array<std::byte, size> out;
  if (EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr,
                 kind, nullptr) != 1)
    throw Error(ErrorCode::failed, fmt::format("cannot take a {} digest", EVP_MD_get0_name(kind)));
  return out;
}

}  // namespace

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    if (context == nullptr) throw std::bad_alloc();
    if (EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
      EVP_MD_CTX_free(context);
      throw Error(ErrorCode::failed, "cannot start a SHA-256 digest");
    }
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView data) {
  if (EVP_DigestUpdate(state_->context, data.data(), data.size()) != 1)
    throw Error(ErrorCode::failed, "cannot go on with a SHA-256 digest");
}

Digest256 Sha256::finish() {
  Digest256 out;
  if (EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(out.data()), nullptr) !=
      1)
    throw Error(ErrorCode::failed, "cannot end a SHA-256 digest");
  return out;
}

Digest256 sha256(ByteView data) { return digest_of<32>(EVP_sha256(), data); }

std::array<std::byte, 16> md5(ByteView data) { return digest_of<16>(EVP_md5(), data); }

Digest256 hmac_sha256(ByteView key, ByteView data) {
  Digest256 out;
  static constexpr unsigned char kEmpty = 0;  // OpenSSL takes a null key for "the last one"
  if (HMAC(EVP_sha256(), key.empty() ? static_cast<const void*>(&kEmpty) : key.data(),
           static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()),
           data.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr) == nullptr)
    throw Error(ErrorCode::failed, "cannot take an HMAC-SHA256");
  return out;
}

bool equal_digests(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void RowDigest::add(ByteView row) {
  const XXH128_hash_t hash = XXH3_128bits(row.data(), row.size());
  RowDigest one;
  one.low_ = hash.low64;
  one.high_ = hash.high64;
  add(one);
}

void RowDigest::add(const RowDigest& other) {
  low_ += other.low_;
  high_ += other.high_ + (low_ < other.low_ ? 1 : 0);
}

std::string RowDigest::hex() const { return fmt::format("{:016x}{:016x}", high_, low_); }

struct RowHasher::State {
  State() : hash(XXH3_createState()) {
    if (hash == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(hash);
  }
  ~State() { XXH3_freeState(hash); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  XXH3_state_t* hash;
};

RowHasher::RowHasher() : state_(std::make_unique<State>()) {}
RowHasher::~RowHasher() = default;

void RowHasher::update(ByteView piece) {
  XXH3_128bits_update(state_->hash, piece.data(), piece.size());
}

void RowHasher::finish(RowDigest& into) {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->hash);
  XXH3_128bits_reset(state_->hash);
  RowDigest one;
  one.low_ = hash.low64;
  one.high_ = hash.high64;
  into.add(one);
}

}  // namespace bkp
