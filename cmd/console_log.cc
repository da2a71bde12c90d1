#include "console_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "output.h"

namespace bkp {

std::string progress_text(std::string_view what, std::uint64_t done,
                          std::optional<std::uint64_t> total, std::chrono::duration<double> elapsed,
                          std::size_t width) {
  const double seconds = std::max(elapsed.count(), 0.001);
  const double rate = static_cast<double>(done) / seconds;
  const std::string speed = format_size(static_cast<std::uint64_t>(rate)) + "/s";
  std::string text = printable(what);
  if (!total || *total == 0)
    return shorten(
        fmt::format("{}  {}  {}  {}", text, format_size(done), speed, format_duration(elapsed)),
        width);
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(*total));
  constexpr std::size_t kBar = 20;
  const auto filled = static_cast<std::size_t>(part * kBar);
  text += fmt::format("  [{}{}] {:3.0f}%  {} of {}  {}", std::string(filled, '#'),
                      std::string(kBar - filled, '-'), part * 100, format_size(done),
                      format_size(*total), speed);
  if (rate > 0 && done < *total)
    text +=
        "  ETA " +
        format_duration(std::chrono::duration<double>(static_cast<double>(*total - done) / rate));
  return shorten(text, width);
}

ConsoleLog::~ConsoleLog() { clear(); }

void ConsoleLog::write(LogLevel level, std::string_view line) {
  if (level < options_.least) return;
  const std::lock_guard lock(mutex_);
  wipe();
  std::string prefix;
  if (level == LogLevel::debug) prefix = "bkp: debug: ";
  if (level == LogLevel::warning)
    prefix = "bkp: " + paint("warning:", Colour::warn, options_.colours) + " ";
  if (level == LogLevel::error)
    prefix = "bkp: " + paint("error:", Colour::bad, options_.colours) + " ";
  const std::string whole = prefix + std::string(line) + "\n";
  std::fwrite(whole.data(), 1, whole.size(), stream_);
  std::fflush(stream_);
}

void ConsoleLog::progress(std::string_view what, std::uint64_t done,
                          std::optional<std::uint64_t> total) {
  if (!options_.bar) return;
  const std::lock_guard lock(mutex_);
  const auto now = SteadyClock::now();
  if (began_ == SteadyClock::time_point{} || done < last_done_) {
    began_ = now;
    drawn_ = {};
  }
  last_done_ = done;
  if (now - drawn_ < std::chrono::milliseconds(100)) return;
  drawn_ = now;
  const std::size_t width = std::max<std::size_t>(terminal_width(stream_), 40) - 1;
  const std::string text = progress_text(what, done, total, now - began_, width);
  std::fprintf(stream_, "\r\x1b[K%s", text.c_str());
  std::fflush(stream_);
  bar_shown_ = true;
}

void ConsoleLog::clear() {
  const std::lock_guard lock(mutex_);
  wipe();
}

void ConsoleLog::wipe() {
  if (!bar_shown_) return;
  std::fputs("\r\x1b[K", stream_);
  std::fflush(stream_);
  bar_shown_ = false;
}

}  // namespace bkp
