#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "pg/tools.h"

namespace bkp {
namespace {

constexpr std::string_view kProgram = "pg_restore: ";
constexpr std::string_view kError = "error: ";
constexpr std::string_view kSummary = "warning: errors ignored on restore: ";
constexpr std::string_view kCommand = "Command was: ";

struct Judgement {
  std::vector<std::string> errors;  // that matter
  std::size_t seen = 0;             // with the harmless ones
  std::size_t counted = 0;          // by pg_restore itself; 0: it did not get so far
};

// Messages of pg_restore: a line that begins with its name, and the lines after it that do not.
// The start may be missing: only the end of a long output is kept.
std::vector<std::string> messages_of(std::string_view output) {
  std::vector<std::string> messages;
  while (!output.empty()) {
    const auto end = std::min(output.find('\n'), output.size());
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    if (line.starts_with(kProgram)) {
      messages.emplace_back(line.substr(kProgram.size()));
    } else if (!messages.empty()) {
      messages.back() += '\n';
      messages.back() += line;
    }
  }
  for (std::string& message : messages)
    while (message.ends_with('\n') || message.ends_with(' ')) message.pop_back();
  return messages;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == text.npos;
}

// error: could not execute query: ERROR:  unrecognized configuration parameter "x"
// Command was: SET x = 0;
bool is_unknown_setting(std::string_view message) {
  constexpr std::string_view kStart =
      "error: could not execute query: ERROR:  unrecognized configuration parameter \"";
  if (!message.starts_with(kStart)) return false;
  message.remove_prefix(kStart.size());
  const std::string_view name = message.substr(0, message.find('"'));
  const std::string before = fmt::format("{}\"\n{}SET {} = ", name, kCommand, name);
  if (!is_name(name) || !message.starts_with(before)) return false;
  message.remove_prefix(before.size());
  return message.size() >= 2 && message.ends_with(';') && message.find(';') == message.size() - 1 &&
         message.find('\n') == message.npos;
}

// The server's words and, on a line of its own, the beginning of the command.
std::string shortened(std::string_view message) {
  constexpr std::size_t kLongest = 400;
  message.remove_prefix(kError.size());
  std::string text(message.substr(0, kLongest));
  if (message.size() > kLongest) text += "…";
  return text;
}

Judgement judge(std::string_view output) {
  Judgement judgement;
  for (const std::string& message : messages_of(output)) {
    if (message.starts_with(kSummary))
      judgement.counted = std::strtoul(message.c_str() + kSummary.size(), nullptr, 10);
    if (!message.starts_with(kError)) continue;
    ++judgement.seen;
    if (!is_unknown_setting(message)) judgement.errors.push_back(shortened(message));
  }
  if (judgement.counted > judgement.seen)
    judgement.errors.push_back(
        fmt::format("{} more errors, whose text is lost", judgement.counted - judgement.seen));
  return judgement;
}

std::string_view last_line(std::string_view output) {
  while (output.ends_with('\n')) output.remove_suffix(1);
  return output.substr(output.rfind('\n') + 1);
}

}  // namespace

std::vector<std::string> restore_errors(std::string_view error_output) {
  return judge(error_output).errors;
}

std::vector<std::string> restore_errors(int exit_status, std::string_view error_output) {
  Judgement judgement = judge(error_output);
  const bool counted = exit_status == 1 && judgement.counted > 0;
  if (exit_status != 0 && judgement.errors.empty() && !counted)
    judgement.errors.push_back(fmt::format("pg_restore ended with exit status {}: {}", exit_status,
                                           last_line(error_output)));
  return judgement.errors;
}

}  // namespace bkp
