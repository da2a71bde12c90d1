// The words of a command line as a shell would split them: quotes, but no expansion.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bkp::test {

// Up to a '|', '>' or '#' that is not quoted.
inline std::vector<std::string> shell_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      open = true;
    } else if (c == '|' || c == '>' || c == '#') {
      break;
    } else if (c == ' ') {
      if (open) words.push_back(word);
      word.clear();
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(word);
  return words;
}

}  // namespace bkp::test
