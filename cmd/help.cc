#include "help.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include "command_line.h"
#include "commands.h"

namespace bkp {
namespace {

constexpr std::size_t kWidth = 100;

bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }
bool repeats(const CLI::Option& option) { return option.get_expected_max() > 1; }

// Words of `text` on lines of at most `width`, each after the first indented.
std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (used > 0 && used + 1 + word.size() > width) {
      out += "\n" + std::string(indent, ' ');
      used = 0;
    }
    if (used > 0) out += ' ';
    out += word;
    used += word.size() + 1;
  }
  return out;
}

std::string option_lines(const std::vector<const CLI::Option*>& options) {
  std::size_t column = 0;
  for (const CLI::Option* option : options)
    column = std::max(column, std::min<std::size_t>(option_heading(*option).size(), 28));
  column += 4;
  std::string out;
  for (const CLI::Option* option : options) {
    const std::string heading = option_heading(*option);
    out += "  " + heading;
    if (heading.size() + 4 > column)
      out += "\n" + std::string(column, ' ');
    else
      out += std::string(column - heading.size() - 2, ' ');
    out += wrap(option->get_description(), column, kWidth - column) + "\n";
  }
  return out;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool global) {
  std::vector<const CLI::Option*> some;
  for (const CLI::Option* option : app.get_options())
    if (!option->get_group().empty() && (option->get_group() == kGlobalGroup) == global)
      some.push_back(option);
  std::stable_partition(some.begin(), some.end(),
                        [](const CLI::Option* option) { return option->get_positional(); });
  return some;
}

std::string examples_of(const Command& command) {
  std::string out;
  std::istringstream lines{std::string(command.examples)};
  for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
  return out;
}

constexpr const char* kExitCodes =
    "  0 done   1 failed   2 usage or configuration   3 done in part\n"
    "  4 integrity: a checksum, a seal or a restored row is wrong   5 another run holds the lock\n";

}  // namespace

std::string option_heading(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true) + (repeats(option) ? "..." : "");
  std::string out;
  const auto add = [&out](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (!is_flag(option)) out += " " + option.get_type_name();
  if (!is_flag(option) && repeats(option)) out += "...";
  return out;
}

std::string usage_line(const CLI::App& app) {
  std::string out = app.get_name() + " [OPTIONS]";
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string type = option->get_type_name();
    const std::string name = type.find('|') == std::string::npos ? option_heading(*option) : type;
    out += option->get_required() ? " " + name : " [" + name + "]";
  }
  return out;
}

std::string overview() {
  std::string out =
      "usage: bkp [-c FILE] [--json] [-v|-q] [--no-color] COMMAND ...\n"
      "Backs up PostgreSQL databases into several storages at once, proves the copies, and\n"
      "brings databases back, compared with what was dumped.\n";
  std::string_view group;
  for (const Command& command : commands()) {
    if (group != command.group) out += fmt::format("\n{}\n", command.group);
    group = command.group;
    out += fmt::format("  {:<16} {}\n", command.name, command.summary);
  }
  return out +
         "\n'bkp COMMAND -h' is short, 'bkp COMMAND --help' long, 'man bkp-COMMAND' complete.\n";
}

std::string long_overview() {
  CLI::App app("", "bkp");
  app.set_help_flag("");
  GlobalOptions globals;
  add_global_options(app, globals, Effect::changes);
  return overview() + "\nOptions of every command\n" + option_lines(options_of(app, true)) +
         "  --version                     the version of bkp\n\nExit status\n" + kExitCodes +
         "\nA first backup\n"
         "  bkp init\n  bkp doctor\n  bkp dump\n  bkp list\n  bkp restore latest --into restored\n";
}

std::string short_help(const Command& command) {
  CLI::App app;
  GlobalOptions globals;
  const Run run = declare_command(command, app, globals);
  const std::string options = option_lines(options_of(app, false));
  return fmt::format(
      "usage: {}\n{}\n{}{}\n'bkp {} --help' shows examples and the options of every command.\n",
      usage_line(app), command.summary, options.empty() ? "" : "\n", options, command.name);
}

std::string long_help(const Command& command) {
  CLI::App app;
  GlobalOptions globals;
  const Run run = declare_command(command, app, globals);
  const std::string options = option_lines(options_of(app, false));
  return fmt::format(
      "usage: {}\n{}\n{}{}\nOptions of every command\n{}\nExamples\n{}\nExit status\n{}\n"
      "'man bkp-{}' is complete.\n",
      usage_line(app), command.summary, options.empty() ? "" : "\nOptions\n", options,
      option_lines(options_of(app, true)), examples_of(command), kExitCodes, command.name);
}

}  // namespace bkp
