// Raw bytes and views of them, and the two text forms that formats use for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkp {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView bytes) { return {bytes.begin(), bytes.end()}; }
inline Bytes to_bytes(std::string_view text) { return to_bytes(as_bytes(text)); }
inline std::string to_string(ByteView bytes) { return std::string(as_text(bytes)); }
inline void append(Bytes& to, ByteView more) { to.insert(to.end(), more.begin(), more.end()); }

// Lower-case hexadecimal, two digits a byte.
std::string to_hex(ByteView bytes);
// The reverse; accepts lower case only, so that one value has one spelling.
// Throws Error(failed) for an odd length or another character.
Bytes from_hex(std::string_view hex);

// RFC 4648 base64 with padding, no line breaks.
std::string to_base64(ByteView bytes);
// Strict reverse: no blanks, canonical padding and zero trailing bits. Throws Error(failed).
Bytes from_base64(std::string_view text);

// Big-endian integers, the byte order of all of bkp's own formats.
void append_be16(Bytes& to, std::uint16_t value);
void append_be32(Bytes& to, std::uint32_t value);
void append_be64(Bytes& to, std::uint64_t value);
// `from` must hold at least the integer's size.
std::uint16_t read_be16(ByteView from);
std::uint32_t read_be32(ByteView from);
std::uint64_t read_be64(ByteView from);

}  // namespace bkp
