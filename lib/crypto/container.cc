#include "crypto/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/error.h"

namespace bkp {
namespace {

constexpr std::string_view kMagic =
    "\x89"
    "bkp\r\n\x1a\n";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kHeaderSizeAt = 10;
constexpr std::uint32_t kSmallestFrame = 4 << 10;
constexpr std::uint32_t kLargestFrame = 1 << 20;
constexpr std::size_t kLongestName = 900;
constexpr std::size_t kLongestSegment = 64;
constexpr std::size_t kMostSlots = 16;
constexpr std::size_t kWrappedKey = 40;

struct SuiteInfo {
  Suite suite;
  std::string_view name;
};
constexpr SuiteInfo kSuites[] = {{Suite::aes_256_gcm, "aes-256-gcm"},
                                 {Suite::aes_256_cbc_hmac_sha256, "aes-256-cbc-hmac-sha256"}};

// Takes fields off the front of an object.
class Cursor {
 public:
  explicit Cursor(ByteView data) : data_(data) {}

  ByteView take(std::size_t size) {
    if (size > data_.size() - at_)
      throw Error(ErrorCode::integrity, "not a whole container: its first bytes are cut off");
    at_ += size;
    return data_.subspan(at_ - size, size);
  }
  std::uint8_t u8() { return std::to_integer<std::uint8_t>(take(1)[0]); }
  std::uint16_t u16() { return read_be16(take(2)); }
  std::uint32_t u32() { return read_be32(take(4)); }
  std::uint64_t u64() { return read_be64(take(8)); }
  template <std::size_t size>
  std::array<std::byte, size> array() {
    std::array<std::byte, size> out;
    std::ranges::copy(take(size), out.begin());
    return out;
  }
  std::string text() { return to_string(take(u16())); }
  std::size_t at() const { return at_; }

 private:
  ByteView data_;
  std::size_t at_ = 0;
};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-+=@").find(c) != std::string_view::npos;
}

bool is_component(std::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         std::ranges::all_of(text, is_name_character);
}

bool is_path(std::string_view text) {
  for (;;) {
    const std::size_t slash = text.find('/');
    if (!is_component(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

// What is wrong with a header, for writers and readers alike; empty: nothing.
std::string problem_of(const ContainerHeader& header) {
  const auto is_known = [&](const SuiteInfo& info) { return info.suite == header.suite; };
  if (std::ranges::none_of(kSuites, is_known))
    return fmt::format("unknown cipher suite {}", static_cast<unsigned>(header.suite));
  if (header.codec > Codec::zstd)
    return fmt::format("unknown codec {}", static_cast<unsigned>(header.codec));
  if (!std::has_single_bit(header.frame_size) || header.frame_size < kSmallestFrame ||
      header.frame_size > kLargestFrame)
    return fmt::format("impossible frame size {}", header.frame_size);
  if (header.part == 0) return "part number 0";
  if (header.name.size() > kLongestName || !is_path(header.name)) return "impossible object name";
  if (!header.wal) return {};
  if (header.wal->segment.size() > kLongestSegment || !is_component(header.wal->segment))
    return "impossible WAL segment name";
  if (!header.backup.is_nil()) return "a WAL segment that belongs to a backup";
  return {};
}

ContainerHeader decode_header(ByteView bytes) {
  Cursor cursor(bytes);
  cursor.take(kMagic.size() + 4);  // magic, version, size: seen by the caller
  ContainerHeader header;
  header.suite = static_cast<Suite>(cursor.u8());
  header.codec = static_cast<Codec>(cursor.u8());
  cursor.u16();
  header.frame_size = cursor.u32();
  header.part = cursor.u32();
  header.cluster.bytes = cursor.array<16>();
  header.backup.bytes = cursor.array<16>();
  WalFields wal;
  wal.system_identifier = cursor.u64();
  wal.length = cursor.u64();
  wal.hmac = cursor.array<32>();
  wal.segment = cursor.text();
  if (!wal.segment.empty()) header.wal = std::move(wal);
  header.name = cursor.text();
  return header;
}

void append_text(Bytes& to, std::string_view text) {
  append_be16(to, static_cast<std::uint16_t>(text.size()));
  append(to, as_bytes(text));
}

KeySlot parse_slot(Cursor& cursor) {
  KeySlot slot;
  slot.type = static_cast<SlotType>(cursor.u8());
  slot.key_id.bytes = cursor.array<16>();
  slot.wrapped = to_bytes(cursor.take(cursor.u16()));
  const bool good = slot.type == SlotType::aes256_master ? slot.wrapped.size() == kWrappedKey
                    : slot.type == SlotType::x25519      ? !slot.wrapped.empty()
                                                         : false;
  if (!good)
    throw Error(ErrorCode::integrity,
                fmt::format("damaged key slot of type {}, {} bytes",
                            static_cast<unsigned>(slot.type), slot.wrapped.size()));
  return slot;
}

}  // namespace

std::string_view suite_name(Suite suite) {
  for (const SuiteInfo& info : kSuites)
    if (info.suite == suite) return info.name;
  throw Error(ErrorCode::failed,
              fmt::format("unknown cipher suite {}", static_cast<unsigned>(suite)));
}

Suite parse_suite(std::string_view name) {
  for (const SuiteInfo& info : kSuites)
    if (info.name == name) return info.suite;
  throw Error(ErrorCode::usage, fmt::format("unknown cipher '{}'", name),
              "use aes-256-gcm or aes-256-cbc-hmac-sha256");
}

Bytes encode_header(const ContainerHeader& header) {
  if (const std::string problem = problem_of(header); !problem.empty())
    throw Error(ErrorCode::failed,
                fmt::format("cannot write a container of object '{}': {}", header.name, problem));
  const WalFields wal = header.wal.value_or(WalFields{});
  Bytes out = to_bytes(kMagic);
  append_be16(out, kVersion);
  append_be16(out, 0);  // its size, below
  out.push_back(static_cast<std::byte>(header.suite));
  out.push_back(static_cast<std::byte>(header.codec));
  append_be16(out, 0);
  append_be32(out, header.frame_size);
  append_be32(out, header.part);
  append(out, header.cluster.bytes);
  append(out, header.backup.bytes);
  append_be64(out, wal.system_identifier);
  append_be64(out, wal.length);
  append(out, wal.hmac);
  append_text(out, wal.segment);
  append_text(out, header.name);
  Bytes size;
  append_be16(size, static_cast<std::uint16_t>(out.size()));
  std::ranges::copy(size, out.begin() + kHeaderSizeAt);
  return out;
}

Bytes encode_slots(std::span<const KeySlot> slots) {
  if (slots.empty() || slots.size() > kMostSlots)
    throw Error(ErrorCode::failed,
                fmt::format("a container has 1 to {} key slots, not {}", kMostSlots, slots.size()));
  Bytes out{static_cast<std::byte>(slots.size())};
  for (const KeySlot& slot : slots) {
    out.push_back(static_cast<std::byte>(slot.type));
    append(out, slot.key_id.bytes);
    append_be16(out, static_cast<std::uint16_t>(slot.wrapped.size()));
    append(out, slot.wrapped);
  }
  return out;
}

ContainerPrefix parse_prefix(ByteView start) {
  start = start.first(std::min(start.size(), kMaxPrefix));
  Cursor cursor(start);
  if (as_text(cursor.take(kMagic.size())) != kMagic)
    throw Error(ErrorCode::integrity, "not a container of bkp");
  if (const std::uint16_t version = cursor.u16(); version != kVersion)
    throw Error(ErrorCode::integrity, fmt::format("container version {} is not known", version),
                "a newer bkp may have written it");
  const std::uint16_t size = cursor.u16();

  ContainerPrefix prefix;
  prefix.header_bytes = to_bytes(Cursor(start).take(size));
  prefix.header = decode_header(prefix.header_bytes);
  if (const std::string problem = problem_of(prefix.header); !problem.empty())
    throw Error(ErrorCode::integrity, fmt::format("damaged container header: {}", problem));
  // One encoding for each value: this also covers reserved bytes and the size.
  if (encode_header(prefix.header) != prefix.header_bytes)
    throw Error(ErrorCode::integrity, "damaged container header: not as it would be written");

  Cursor slots(start);
  slots.take(size);
  const std::uint8_t count = slots.u8();
  if (count == 0 || count > kMostSlots)
    throw Error(ErrorCode::integrity, fmt::format("damaged container: {} key slots", count));
  for (std::uint8_t i = 0; i < count; ++i) prefix.slots.push_back(parse_slot(slots));
  prefix.size = slots.at();
  return prefix;
}

}  // namespace bkp
