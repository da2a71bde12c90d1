// What a run tells on standard error: lines by level, and the advance of long work. Passed to use
// cases by reference; lower layers return or throw instead of logging.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bkp {

enum class LogLevel { debug, info, warning, error };

// Thread-safe. One line a call, no trailing newline, no secret.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view line) = 0;
  // Long work: `total` bytes where known. A terminal shows a bar with rate and ETA; others nothing.
  virtual void progress(std::string_view what, std::uint64_t done,
                        std::optional<std::uint64_t> total) = 0;

  void debug(std::string_view line) { write(LogLevel::debug, line); }
  void info(std::string_view line) { write(LogLevel::info, line); }
  void warning(std::string_view line) { write(LogLevel::warning, line); }
  void error(std::string_view line) { write(LogLevel::error, line); }
};

// Says nothing: for tests and for --quiet.
class NullLog final : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
  void progress(std::string_view, std::uint64_t, std::optional<std::uint64_t>) override {}
};

}  // namespace bkp
