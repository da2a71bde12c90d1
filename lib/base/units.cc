#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "base/error.h"

namespace bkp {

namespace {

struct SizeUnit {
  std::string_view name;  // lower case
  std::uint64_t bytes;
};
constexpr std::uint64_t kKibi = 1024;
constexpr SizeUnit kSizeUnits[] = {
    {"", 1},
    {"b", 1},
    {"kib", kKibi},
    {"mib", kKibi* kKibi},
    {"gib", kKibi* kKibi* kKibi},
    {"tib", kKibi* kKibi* kKibi* kKibi},
    {"pib", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"kb", 1000},
    {"mb", 1000000},
    {"gb", 1000000000},
    {"tb", 1000000000000},
    {"pb", 1000000000000000},
};

struct DurationUnit {
  char name;
  std::int64_t seconds;
};
// Largest first: a sum names its units in this order.
constexpr DurationUnit kDurationUnits[] = {{'y', 365 * 86400}, {'w', 7 * 86400}, {'d', 86400},
                                           {'h', 3600},        {'m', 60},        {'s', 1}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void skip_blanks(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

// Digits from the front of `text`; nullopt without one or above the range.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  std::uint64_t value = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    const std::uint64_t digit = static_cast<std::uint64_t>(text.front() - '0');
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
        __builtin_add_overflow(value, digit, &value))
      return std::nullopt;
  }
  return value;
}

// "…5" of "1.5": a fraction of one unit, exact to nine digits.
std::optional<double> take_fraction(std::string_view& text) {
  if (text.empty() || text.front() != '.') return 0.0;
  text.remove_prefix(1);
  const std::size_t before = text.size();
  const auto digits = take_number(text);
  const std::size_t count = before - text.size();
  if (!digits || count > 9) return std::nullopt;
  return static_cast<double>(*digits) / std::pow(10.0, static_cast<double>(count));
}

std::optional<std::uint64_t> read_size(std::string_view text) {
  const auto whole = take_number(text);
  if (!whole) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  skip_blanks(text);
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const SizeUnit& unit : kSizeUnits) {
    if (unit.name != name) continue;
    if (*fraction > 0 && unit.bytes == 1) return std::nullopt;
    const auto part =
        static_cast<std::uint64_t>(std::llround(*fraction * static_cast<double>(unit.bytes)));
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(*whole, unit.bytes, &bytes) ||
        __builtin_add_overflow(bytes, part, &bytes))
      return std::nullopt;
    return bytes;
  }
  return std::nullopt;
}

std::optional<std::int64_t> read_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  const DurationUnit* unit = std::begin(kDurationUnits);
  while (!text.empty()) {
    const auto number = take_number(text);
    skip_blanks(text);
    if (!number || text.empty()) return std::nullopt;
    const char name = text.front();
    text.remove_prefix(1);
    unit = std::find_if(unit, std::end(kDurationUnits),
                        [&](const DurationUnit& known) { return known.name == name; });
    std::int64_t part = 0;
    if (unit == std::end(kDurationUnits) ||
        *number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ||
        __builtin_mul_overflow(static_cast<std::int64_t>(*number), unit->seconds, &part) ||
        __builtin_add_overflow(total, part, &total))
      return std::nullopt;
    ++unit;
    const std::size_t before = text.size();
    skip_blanks(text);
    if (text.empty() && before > 0) return std::nullopt;
  }
  // A century is enough, and leaves every sum with a moment far inside the clock's range.
  if (total > 100 * 365 * std::int64_t{86400}) return std::nullopt;
  return total;
}

// Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::uint64_t parse_size(std::string_view text) {
  if (const auto bytes = read_size(text)) return *bytes;
  throw Error(ErrorCode::usage, "'" + std::string(text) + "' is not a size",
              "write a number and a unit, such as 500GiB, 16 MiB, 10GB or 4096B");
}

std::string format_size(std::uint64_t bytes) {
  if (bytes < kKibi) return fmt::format("{} B", bytes);
  static constexpr const char* kNames[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t i = 0;
  // 1023.95 would print as 1024.0.
  for (; value >= 1023.95 && i + 1 < std::size(kNames); ++i) value /= 1024;
  return fmt::format("{:.1f} {}", value, kNames[i]);
}

std::chrono::seconds parse_duration(std::string_view text) {
  if (const auto seconds = read_duration(text)) return std::chrono::seconds(*seconds);
  throw Error(ErrorCode::usage, "'" + std::string(text) + "' is not a duration",
              "write numbers with s, m, h, d, w or y, such as 30d, 8h or 1h30m");
}

std::string format_duration(std::chrono::duration<double> duration) {
  const double exact = std::max(duration.count(), 0.0);
  if (exact > 0 && exact < 0.95) return fmt::format("{:.1f} s", std::max(exact, 0.1));
  const std::int64_t seconds = std::llround(std::min(exact, 1e15));
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} m {:02} s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{} h {:02} m", seconds / 3600, seconds / 60 % 60);
  if (seconds < 10 * 86400)
    return fmt::format("{} d {:02} h", seconds / 86400, seconds / 3600 % 24);
  return fmt::format("{} d", seconds / 86400);
}

std::string nearest_word(std::string_view word, const std::string* known, std::size_t count) {
  // Further than a third of the word is another word; nobody types much beyond 64 characters.
  if (word.size() > 64) return {};
  std::size_t best = std::max<std::size_t>(1, (word.size() + 1) / 3) + 1;
  std::string nearest;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t distance = edit_distance(word, known[i]);
    if (distance >= best || distance >= std::max(word.size(), known[i].size())) continue;
    best = distance;
    nearest = known[i];
  }
  return nearest;
}

}  // namespace bkp
