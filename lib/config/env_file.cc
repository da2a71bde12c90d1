#include "config/env_file.h"

#include <cstdlib>

#include "base/error.h"

namespace bkp {

namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_name(std::string_view text) {
  if (text.empty() || (text.front() >= '0' && text.front() <= '9')) return false;
  return text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
         std::string_view::npos;
}

// The text between the quotes that `value` begins with; nullopt when they do not close, or
// something other than a comment follows.
std::optional<std::string> unquote(std::string_view value) {
  const char quote = value.front();
  std::string result;
  std::size_t at = 1;
  for (; at < value.size() && value[at] != quote; ++at) {
    const bool escape = quote == '"' && value[at] == '\\' && at + 1 < value.size() &&
                        std::string_view("\"\\$`").find(value[at + 1]) != std::string_view::npos;
    if (escape) ++at;
    result += value[at];
  }
  if (at >= value.size()) return std::nullopt;
  const std::string_view behind = trim(value.substr(at + 1));
  if (!behind.empty() && behind.front() != '#') return std::nullopt;
  return result;
}

}  // namespace

EnvFile parse_env_file(std::string_view content, const std::filesystem::path& file) {
  EnvFile variables;
  for (std::size_t number = 1; !content.empty(); ++number) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = trim(content.substr(0, end));
    content.remove_prefix(std::min(end + 1, content.size()));
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto wrong = [&](const char* cause) {
      return Error(ErrorCode::usage, file.string() + ":" + std::to_string(number) + ": " + cause,
                   "lines of env_file read KEY=VALUE or KEY=\"VALUE\"");
    };
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || !is_name(line.substr(0, equals)))
      throw wrong("not KEY=VALUE");
    const std::string_view value = trim(line.substr(equals + 1));
    std::optional<std::string> plain(value);
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) plain = unquote(value);
    if (!plain) throw wrong("the quotes do not close, or something follows them");
    variables.insert_or_assign(std::string(line.substr(0, equals)), Secret(*plain));
  }
  return variables;
}

std::optional<Secret> environment_variable(const std::string& name, const EnvFile& file) {
  if (const char* value = std::getenv(name.c_str())) return Secret(std::string_view(value));
  const auto found = file.find(name);
  if (found == file.end()) return std::nullopt;
  return found->second;
}

}  // namespace bkp
