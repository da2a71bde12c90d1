// Writes small archives of pg_dump's custom format, for tests that need one with a fault.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace bkp {

class ArchiveBuilder {
 public:
  explicit ArchiveBuilder(int minor = 14) : minor_(minor) {}

  ArchiveBuilder& raw(std::string_view bytes) {
    append(data_, as_bytes(bytes));
    return *this;
  }
  ArchiveBuilder& byte(int value) {
    data_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  ArchiveBuilder& integer(std::int64_t value) {
    byte(value < 0 ? 1 : 0);
    auto left = static_cast<std::uint64_t>(value < 0 ? -value : value);
    for (int i = 0; i < 4; ++i, left >>= 8) byte(static_cast<int>(left & 0xff));
    return *this;
  }
  ArchiveBuilder& text(std::string_view text) {
    return integer(static_cast<std::int64_t>(text.size())).raw(text);
  }
  ArchiveBuilder& null() { return integer(-1); }

  ArchiveBuilder& header(int compression = 0) {
    raw("PGDMP").byte(1).byte(minor_).byte(0).byte(4).byte(8).byte(1);
    if (minor_ < 15) {
      integer(compression);
    } else {
      byte(compression);
    }
    for (int i = 0; i < 7; ++i) integer(1);
    return text("shop").text("15.20").text("15.20");
  }
  ArchiveBuilder& entry(int id, bool has_data, std::string_view kind, std::string_view copy,
                        std::string_view owner = "bkp") {
    integer(id).integer(has_data ? 1 : 0).text("0").text("0").text("tag").text(kind).integer(3);
    text("").text("").text(copy).text("public").null().null();
    if (minor_ >= 16) integer(0);
    return text(owner)
        .text("false")
        .text("1")
        .null()
        .byte(has_data ? 1 : 3)
        .raw(std::string(8, '\0'));
  }
  // Begins an entry's block of rows (1) or large objects (3).
  ArchiveBuilder& block(int type, int id) { return byte(type).integer(id); }
  ArchiveBuilder& chunk(std::string_view content) { return text(content); }
  ArchiveBuilder& end() { return integer(0); }

  const Bytes& data() const { return data_; }

 private:
  int minor_;
  Bytes data_;
};

}  // namespace bkp
