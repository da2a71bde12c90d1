// The Log of the program: lines on standard error, and a progress bar where that is a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

#include "base/log.h"

namespace bkp {

// The bar's text for work of which `done` bytes took `elapsed`, for a terminal of `width` columns:
// "dump shop  [######----]  62%  1.2 GiB of 1.9 GiB  210 MiB/s  ETA 4 s"; without a total no bar
// and no ETA.
std::string progress_text(std::string_view what, std::uint64_t done,
                          std::optional<std::uint64_t> total, std::chrono::duration<double> elapsed,
                          std::size_t width);

class ConsoleLog final : public Log {
 public:
  struct Options {
    LogLevel least = LogLevel::info;  // lines below are dropped
    bool colours = false;
    bool bar = false;  // standard error is a terminal and --quiet was not given
  };
  explicit ConsoleLog(Options options, std::FILE* stream = stderr)
      : options_(options), stream_(stream) {}
  ~ConsoleLog() override;

  // "bkp: warning: LINE"; info lines have no prefix.
  void write(LogLevel level, std::string_view line) override;
  void progress(std::string_view what, std::uint64_t done,
                std::optional<std::uint64_t> total) override;
  // Wipes the bar, so that another may write to the terminal.
  void clear();

 private:
  using SteadyClock = std::chrono::steady_clock;
  void wipe();

  Options options_;
  std::FILE* stream_;
  std::mutex mutex_;
  bool bar_shown_ = false;
  std::uint64_t last_done_ = 0;  // less than it: new work, which the bar is of since `began_`
  SteadyClock::time_point began_{};
  SteadyClock::time_point drawn_{};
};

}  // namespace bkp
