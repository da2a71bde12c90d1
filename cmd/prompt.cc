#include "prompt.h"

#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/fd.h"

namespace bkp {
namespace {

// Byte by byte, so that nothing behind the line is taken from who reads standard input next.
std::string read_line() {
  std::string line;
  for (std::byte byte; read_some(STDIN_FILENO, std::span(&byte, 1), "the answer") == 1;) {
    if (static_cast<char>(byte) == '\n') return line;
    line += static_cast<char>(byte);
  }
  if (line.empty()) throw Error(ErrorCode::failed, "no answer: standard input ended");
  return line;
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

bool can_ask() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

std::string ask(std::string_view question, const std::string& by_default) {
  while (true) {
    std::fprintf(stderr, "%s%s: ", std::string(question).c_str(),
                 by_default.empty() ? "" : (" [" + by_default + "]").c_str());
    std::fflush(stderr);
    const std::string answer = trimmed(read_line());
    if (!answer.empty()) return answer;
    if (!by_default.empty()) return by_default;
  }
}

bool confirm(std::string_view question) {
  const std::string answer = ask(std::string(question) + " (y/n)", "n");
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace bkp
