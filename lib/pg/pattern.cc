#include "pg/pattern.h"

#include <cctype>
#include <utility>

namespace bkp {
namespace {

std::string anchored(const std::string& regex) { return "^(" + regex + ")$"; }

}  // namespace

NamePattern parse_pattern(std::string_view pattern) {
  NamePattern parsed;
  std::string regex;
  bool quoted = false;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '"') {
      if (quoted && pattern.substr(at + 1, 1) == "\"") {
        regex += c;
        ++at;
      } else {
        quoted = !quoted;
      }
    } else if (!quoted && c == '*') {
      regex += ".*";
    } else if (!quoted && c == '?') {
      regex += '.';
    } else if (!quoted && c == '.') {
      parsed.schema = anchored(std::exchange(regex, {}));
    } else if (c == '$' ||
               (quoted && std::string_view("|*+?()[]{}.^\\").find(c) != std::string_view::npos)) {
      regex += '\\';
      regex += c;
    } else if (!quoted && c >= 'A' && c <= 'Z') {
      regex += static_cast<char>(c - 'A' + 'a');
    } else {
      regex += c;
    }
  }
  parsed.name = anchored(regex);
  return parsed;
}

}  // namespace bkp
