#include "base/bytes.h"

#include <array>

#include "base/error.h"

namespace bkp {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr char kBase64Digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

int base64_value(char digit) {
  if (digit >= 'A' && digit <= 'Z') return digit - 'A';
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
  if (digit >= '0' && digit <= '9') return digit - '0' + 52;
  if (digit == '+') return 62;
  if (digit == '/') return 63;
  return -1;
}

template <typename Integer>
void append_be(Bytes& to, Integer value) {
  for (int shift = static_cast<int>(sizeof(Integer)) * 8 - 8; shift >= 0; shift -= 8)
    to.push_back(static_cast<std::byte>((value >> shift) & 0xff));
}

template <typename Integer>
Integer read_be(ByteView from) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value = static_cast<Integer>((value << 8) | std::to_integer<Integer>(from[i]));
  return value;
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    out += kHexDigits[std::to_integer<unsigned>(byte) >> 4];
    out += kHexDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return out;
}

Bytes from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) throw Error(ErrorCode::failed, "hexadecimal text of odd length");
  Bytes out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0)
      throw Error(ErrorCode::failed, "not lower-case hexadecimal: '" + std::string(hex) + "'");
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return out;
}

std::string to_base64(ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    unsigned group = std::to_integer<unsigned>(bytes[i]) << 16;
    if (left > 1) group |= std::to_integer<unsigned>(bytes[i + 1]) << 8;
    if (left > 2) group |= std::to_integer<unsigned>(bytes[i + 2]);
    out += kBase64Digits[group >> 18];
    out += kBase64Digits[(group >> 12) & 63];
    out += left > 1 ? kBase64Digits[(group >> 6) & 63] : '=';
    out += left > 2 ? kBase64Digits[group & 63] : '=';
  }
  return out;
}

Bytes from_base64(std::string_view text) {
  const auto refuse = [] { return Error(ErrorCode::failed, "not canonical base64"); };
  if (text.size() % 4 != 0) throw refuse();
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    std::size_t digits = 4;
    if (last && text[i + 3] == '=') digits = text[i + 2] == '=' ? 2 : 3;
    unsigned group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int value = k < digits ? base64_value(text[i + k]) : 0;
      if (value < 0) throw refuse();
      group = (group << 6) | static_cast<unsigned>(value);
    }
    const std::size_t count = digits - 1;
    if ((count == 1 && (group & 0xffff) != 0) || (count == 2 && (group & 0xff) != 0))
      throw refuse();
    out.push_back(static_cast<std::byte>(group >> 16));
    if (count > 1) out.push_back(static_cast<std::byte>((group >> 8) & 0xff));
    if (count > 2) out.push_back(static_cast<std::byte>(group & 0xff));
  }
  return out;
}

void append_be16(Bytes& to, std::uint16_t value) { append_be(to, value); }
void append_be32(Bytes& to, std::uint32_t value) { append_be(to, value); }
void append_be64(Bytes& to, std::uint64_t value) { append_be(to, value); }
std::uint16_t read_be16(ByteView from) { return read_be<std::uint16_t>(from); }
std::uint32_t read_be32(ByteView from) { return read_be<std::uint32_t>(from); }
std::uint64_t read_be64(ByteView from) { return read_be<std::uint64_t>(from); }

}  // namespace bkp
