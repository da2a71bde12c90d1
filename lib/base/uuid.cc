#include "base/uuid.h"

#include <sys/random.h>

#include "base/error.h"

namespace bkp {

Uuid Uuid::random() {
  Uuid id;
  if (getrandom(id.bytes.data(), id.bytes.size(), 0) != static_cast<ssize_t>(id.bytes.size()))
    throw_errno("cannot read the kernel's random numbers");
  id.bytes[6] = (id.bytes[6] & std::byte{0x0f}) | std::byte{0x40};  // version 4, RFC 4122
  id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  return id;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if ((text[i] == '-') != hyphen) return std::nullopt;
    if (hyphen) continue;
    const bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (!digit) return std::nullopt;
    digits += text[i];
  }
  const Bytes raw = from_hex(digits);
  Uuid id;
  for (std::size_t i = 0; i < raw.size(); ++i) id.bytes[i] = raw[i];
  return id;
}

std::string Uuid::text() const {
  std::string out = to_hex(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) out.insert(at, 1, '-');
  return out;
}

std::string Uuid::short_text() const { return to_hex(bytes).substr(0, 8); }

}  // namespace bkp
