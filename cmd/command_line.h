// From argv to what is to be done: the command, its parsed options, and those of every command.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "command.h"

namespace bkp {

struct GlobalOptions {
  std::optional<std::string> config;
  bool json = false;
  int verbose = 0;
  bool quiet = false;
  bool no_color = false;
  std::chrono::seconds wait{0};
  std::string actor;
};

void add_global_options(CLI::App& app, GlobalOptions& globals, Effect effect);

// The heading of the options that every command has.
inline constexpr const char* kGlobalGroup = "Everywhere";

// Which command the words name, before any option is declared: only the one chosen is built, so
// that a start costs the same however many there are.
struct Words {
  std::string command;               // empty: none is named
  std::vector<std::string> rest;     // all other words, in order
  std::optional<std::size_t> index;  // of the command among all words
  bool json = false, no_color = false, version = false, short_help = false, long_help = false;
};
Words split_words(const std::vector<std::string>& words);

struct Invocation {
  const Command* command = nullptr;
  GlobalOptions globals;
  std::vector<std::string> words;  // as typed, for the record of runs
  Run run;
};

// Words without a command: throws Error(usage) for an option that bkp does not have.
void refuse_options_alone(const Words& split);

// `words` are those after the program's name. Throws Error(usage) for what is unknown, with the
// nearest known word, for a value that is missing or malformed, and for what is too much.
Invocation parse_invocation(const Words& split, std::vector<std::string> words);

}  // namespace bkp
