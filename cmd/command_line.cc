#include "command_line.h"

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "base/utf8.h"
#include "commands.h"
#include "options.h"

namespace bkp {
namespace {

bool takes_value(std::string_view word) {
  return word == "-c" || word == "--config" || word == "--wait" || word == "--actor";
}

std::string near_option(const CLI::App& app, std::string_view typed) {
  std::vector<std::string> known{"--help", "--version"};
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  return nearest_word(typed, known.data(), known.size());
}

[[noreturn]] void refuse_extra(const CLI::App& app, const std::vector<std::string>& extras) {
  const auto option = std::find_if(extras.begin(), extras.end(), [](const std::string& word) {
    return word.size() > 1 && word.front() == '-';
  });
  const std::string help = "'" + app.get_name() + " -h' lists its options";
  if (option == extras.end())
    throw Error(ErrorCode::usage,
                "'" + app.get_name() + "' takes no argument '" + extras.front() + "'", help);
  const std::string typed = option->substr(0, option->find('='));
  const std::string near = near_option(app, typed);
  throw Error(ErrorCode::usage, "'" + app.get_name() + "' has no option '" + typed + "'",
              near.empty() ? help : "did you mean '" + near + "'?");
}

// CLI11's own words, told in ours.
[[noreturn]] void retell(const CLI::App& app, const CLI::ParseError& error) {
  const std::string what = error.what();
  const std::string help = "see '" + app.get_name() + " -h'";
  std::string subject = what.substr(0, what.find_first_of(": "));
  subject = subject.substr(0, subject.find(','));
  if (error.get_name() == "RequiredError")
    throw Error(ErrorCode::usage, "'" + app.get_name() + "' needs " + subject, help);
  if (error.get_name() == "ArgumentMismatch" && what.find("missing") != std::string::npos)
    throw Error(ErrorCode::usage, "option '" + subject + "' needs a value", help);
  if (error.get_name() == "ArgumentMismatch" && what.find("At Most") != std::string::npos)
    throw Error(ErrorCode::usage, "'" + subject + "' is given more than once", help);
  if (error.get_name() == "ArgumentMismatch" || error.get_name() == "ConversionError")
    throw Error(ErrorCode::usage, "'" + subject + "' takes no such value", help);
  throw Error(ErrorCode::usage, what, help);
}

void refuse_empty_values(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return;
    if (word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1)
      throw Error(ErrorCode::usage,
                  "option '" + word.substr(0, word.size() - 1) + "' needs a value");
  }
}

void refuse_other_encodings(const std::vector<std::string>& words) {
  for (const std::string& word : words)
    if (const std::string valid = valid_utf8(word); valid != word)
      throw Error(ErrorCode::usage, "argument '" + valid + "' is not UTF-8",
                  "write it in UTF-8: records and names are kept in no other encoding");
}

void parse_words(CLI::App& app, const std::vector<std::string>& words) {
  app.allow_extras();
  refuse_other_encodings(words);
  refuse_empty_values(words);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    if (!app.remaining().empty()) refuse_extra(app, app.remaining());
    retell(app, error);
  }
  if (!app.remaining().empty()) refuse_extra(app, app.remaining());
}

}  // namespace

void add_global_options(CLI::App& app, GlobalOptions& globals, Effect effect) {
  add_text(app, "-c,--config", globals.config, "FILE",
           "configuration; else $BKP_CONFIG, else /etc/bkp/bkp.toml")
      ->group(kGlobalGroup);
  app.add_flag("--json", globals.json, "the result as one JSON document")->group(kGlobalGroup);
  app.add_flag("-v,--verbose", globals.verbose, "say more")->group(kGlobalGroup);
  app.add_flag("-q,--quiet", globals.quiet, "say only what went wrong")->group(kGlobalGroup);
  app.add_flag("--no-color", globals.no_color, "no colours (as NO_COLOR does)")
      ->group(kGlobalGroup);
  add_duration(app, "--wait", globals.wait, "wait so long for another run's lock, such as 30m")
      ->group(kGlobalGroup);
  if (effect == Effect::changes)
    add_text(app, "--actor", globals.actor, "NAME", "who is on record as having done it")
        ->group(kGlobalGroup);
}

Words split_words(const std::vector<std::string>& words) {
  Words split;
  bool options = true;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options && word == "--") options = false;
    if (options) {
      split.json |= word == "--json";
      split.no_color |= word == "--no-color";
      split.version |= word == "--version";
      split.short_help |= word == "-h";
      split.long_help |= word == "--help";
    }
    const bool option = options && word.size() > 1 && word.front() == '-';
    if (!split.index && !option && word != "--") {
      split.index = i;
      split.command = word;
      continue;
    }
    split.rest.push_back(word);
    if (!split.index && takes_value(word) && i + 1 < words.size()) split.rest.push_back(words[++i]);
  }
  return split;
}

void refuse_options_alone(const Words& split) {
  CLI::App app("", "bkp");
  app.set_help_flag("");
  GlobalOptions globals;
  add_global_options(app, globals, Effect::changes);
  parse_words(app, split.rest);
}

Invocation parse_invocation(const Words& split, std::vector<std::string> words) {
  Invocation invocation;
  invocation.words = std::move(words);
  invocation.command = &known_command(split.command);
  CLI::App app;
  invocation.run = declare_command(*invocation.command, app, invocation.globals);
  parse_words(app, split.rest);
  if (invocation.globals.config && invocation.globals.config->empty())
    throw Error(ErrorCode::usage, "option '--config' needs a value");
  if (invocation.globals.quiet && invocation.globals.verbose > 0)
    throw Error(ErrorCode::usage, "'--quiet' and '--verbose' exclude each other");
  return invocation;
}

}  // namespace bkp
