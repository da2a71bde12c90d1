#include "crypto/sealed_box.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <memory>

#include "base/error.h"

namespace bkp {
namespace {

constexpr std::size_t kNonce = 12;
constexpr std::size_t kTag = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

Bytes seal_box(const Key256& key, ByteView plain, ByteView context) {
  Bytes sealed(kNonce + plain.size() + kTag);
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool good =
      cipher && RAND_bytes(raw(sealed.data()), kNonce) == 1 &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key.reveal().data()),
                         raw(sealed.data())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &length, raw(context.data()),
                        static_cast<int>(context.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), raw(sealed.data() + kNonce), &length, raw(plain.data()),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), raw(sealed.data() + kNonce + plain.size()), &length) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTag,
                          sealed.data() + kNonce + plain.size()) == 1;
  if (!good) throw Error(ErrorCode::failed, "cannot seal: OpenSSL failed");
  return sealed;
}

Bytes open_box(const Key256& key, ByteView sealed, ByteView context) {
  if (sealed.size() < kNonce + kTag)
    throw Error(ErrorCode::integrity, "a sealed part is cut short");
  Bytes plain(sealed.size() - kNonce - kTag);
  Bytes tag = to_bytes(sealed.last(kTag));
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool good =
      cipher &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key.reveal().data()),
                         raw(sealed.data())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &length, raw(context.data()),
                        static_cast<int>(context.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), raw(plain.data()), &length, raw(sealed.data() + kNonce),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), raw(plain.data()) + plain.size(), &length) == 1;
  if (!good) throw Error(ErrorCode::integrity, "a sealed part does not open: it was changed");
  return plain;
}

}  // namespace bkp
