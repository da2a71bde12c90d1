#include "base/glob.h"

#include <vector>

namespace bkp {
namespace {

// One pattern against one text; each pair of places is tried once, whatever the number of stars.
class Matcher {
 public:
  Matcher(std::string_view pattern, std::string_view text)
      : pattern_(pattern), text_(text), failed_((pattern.size() + 1) * (text.size() + 1)) {}

  bool match(std::size_t p, std::size_t t) {
    const std::size_t place = p * (text_.size() + 1) + t;
    if (failed_[place]) return false;
    if (match_once(p, t)) return true;
    failed_[place] = true;
    return false;
  }

 private:
  bool match_once(std::size_t p, std::size_t t) {
    if (p == pattern_.size()) return t == text_.size();
    if (pattern_[p] == '*') return match_star(p, t);
    if (t == text_.size()) return false;
    const char c = text_[t];
    switch (pattern_[p]) {
      case '?':
        return c != '/' && match(p + 1, t + 1);
      case '[':
        if (const std::size_t end = end_of_set(p); end != 0)
          return c != '/' && in_set(p + 1, end, c) && match(end + 1, t + 1);
        break;
      case '\\':
        if (p + 1 < pattern_.size()) return c == pattern_[p + 1] && match(p + 2, t + 1);
        break;
      default:
        break;
    }
    return c == pattern_[p] && match(p + 1, t + 1);
  }

  bool match_star(std::size_t p, std::size_t t) {
    const bool deep = pattern_.substr(p).starts_with("**");
    const std::size_t next = p + (deep ? 2 : 1);
    // "**/" may be no directory at all.
    if (deep && pattern_.substr(next).starts_with('/') && (t == 0 || text_[t - 1] == '/') &&
        match(next + 1, t))
      return true;
    if (match(next, t)) return true;
    return t < text_.size() && (deep || text_[t] != '/') && match(p, t + 1);
  }

  // The place of the ']' that ends the set at `p`; 0: none, and '[' is itself.
  std::size_t end_of_set(std::size_t p) const {
    std::size_t at = p + 1;
    if (at < pattern_.size() && (pattern_[at] == '!' || pattern_[at] == '^')) ++at;
    if (at < pattern_.size() && pattern_[at] == ']') ++at;  // the first one is a member
    const std::size_t end = pattern_.find(']', at);
    return end == std::string_view::npos ? 0 : end;
  }

  bool in_set(std::size_t from, std::size_t end, char c) const {
    const bool inverted = pattern_[from] == '!' || pattern_[from] == '^';
    bool found = false;
    const auto byte = [](char value) { return static_cast<unsigned char>(value); };
    for (std::size_t at = from + (inverted ? 1 : 0); at < end; ++at) {
      if (at + 2 < end && pattern_[at + 1] == '-') {
        found = found || (byte(pattern_[at]) <= byte(c) && byte(c) <= byte(pattern_[at + 2]));
        at += 2;
      } else {
        found = found || pattern_[at] == c;
      }
    }
    return found != inverted;
  }

  std::string_view pattern_, text_;
  std::vector<bool> failed_;
};

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  return Matcher(pattern, text).match(0, 0);
}

bool path_matches(std::string_view pattern, std::string_view path) {
  while (pattern.size() > 1 && pattern.ends_with('/')) pattern.remove_suffix(1);
  if (pattern.find('/') == std::string_view::npos)
    return glob_matches(pattern, path.substr(path.rfind('/') + 1));
  if (pattern.starts_with('/')) return glob_matches(pattern, path);
  return glob_matches("**/" + std::string(pattern), path);
}

bool path_or_parent_matches(std::string_view pattern, std::string_view path) {
  for (std::string_view at = path; !at.empty();) {
    if (path_matches(pattern, at)) return true;
    const std::size_t slash = at.rfind('/');
    if (slash == std::string_view::npos) break;
    at = at.substr(0, slash);
  }
  return false;
}

bool is_glob(std::string_view text) {
  return text.find_first_of("*?[\\") != std::string_view::npos;
}

}  // namespace bkp
