// Sizes and durations as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace bkp {

// "500GiB", "16 MiB", "1024", "10GB" (decimal) → bytes. Throws Error(usage).
std::uint64_t parse_size(std::string_view text);
// Binary units with one decimal above 1 KiB: "812 B", "1.4 MiB".
std::string format_size(std::uint64_t bytes);
// "30d", "8h", "15m", "5s", "2w", "1y" (365 days), and sums such as "1h30m". Throws Error(usage).
std::chrono::seconds parse_duration(std::string_view text);
// "4 s", "2 m 05 s", "3 h 10 m", "12 d".
std::string format_duration(std::chrono::duration<double> duration);
// Nearest of `known` to `word` by edit distance, or empty where nothing is near: for "did you
// mean".
std::string nearest_word(std::string_view word, const std::string* known, std::size_t count);

}  // namespace bkp
