// Files of an older system: one Fernet token (https://github.com/fernet/spec), whole: base64url of
// version 0x80, timestamp (8 bytes), IV (16), AES-128-CBC ciphertext, HMAC-SHA256 of all before it.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "base/secret.h"
#include "stream/stream.h"

namespace bkp {

struct FernetKey {
  Secret signing;     // 16 bytes
  Secret encryption;  // 16 bytes
};
// 32 bytes in base64 of either alphabet, blanks around it ignored. Throws Error(usage) without
// showing it.
FernetKey parse_fernet_key(std::string_view text);

// The plain bytes of such a file. The HMAC of all of it is checked before anything is given out,
// in a pass of its own, and again with what is given out: the file may be of any size, memory stays
// small. Not thread-safe.
class FernetSource final : public Source {
 public:
  // Reads the file once. Throws Error: failed (it cannot be read, is no such file, or the key is
  // another one's), integrity (it is cut short, or was changed).
  FernetSource(const std::filesystem::path& file, const FernetKey& key);
  ~FernetSource() override;
  std::size_t read(std::span<std::byte> out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
