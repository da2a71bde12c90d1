// 128-bit identifiers: of a cluster, a backup, a run, a key.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace bkp {

struct Uuid {
  std::array<std::byte, 16> bytes{};

  // Random (version 4), from the kernel.
  static Uuid random();
  // Lower case with hyphens only, 36 characters; nullopt for anything else.
  static std::optional<Uuid> parse(std::string_view text);

  std::string text() const;        // "0d9c1f2e-…", 36 characters
  std::string short_text() const;  // the first 8 hexadecimal digits: <id8> of file names
  bool is_nil() const { return bytes == std::array<std::byte, 16>{}; }
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

}  // namespace bkp
