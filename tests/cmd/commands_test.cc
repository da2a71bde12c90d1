// What ties the table of commands, help, man pages and completions together.
#include "commands.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/fd.h"
#include "command_line.h"
#include "completion.h"
#include "help.h"
#include "shell_words.h"

using namespace bkp;

namespace {

const std::filesystem::path kSource = BKP_SOURCE_DIR;

std::string man_page(const std::string& name) { return read_file(kSource / "man" / (name + ".1")); }

std::set<std::string> declared_options(const Command& command, bool global) {
  CLI::App app;
  GlobalOptions globals;
  declare_command(command, app, globals);
  std::set<std::string> names;
  for (const CLI::Option* option : app.get_options())
    if ((option->get_group() == kGlobalGroup) == global)
      for (const std::string& name : option->get_lnames()) names.insert(name);
  return names;
}

// mdoc writes "--jobs" as "Fl -jobs".
std::set<std::string> options_told(const std::string& page) {
  std::set<std::string> names;
  const std::regex flag("Fl -([a-z][a-z-]*)");
  for (std::sregex_iterator at(page.begin(), page.end(), flag), end; at != end; ++at)
    names.insert((*at)[1]);
  return names;
}

std::set<std::string> offered(const std::vector<std::string>& words) {
  std::set<std::string> out;
  std::istringstream lines(complete(words));
  for (std::string line; std::getline(lines, line);) out.insert(line.substr(0, line.find('\t')));
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.push_back(line);
  return out;
}

// Words after "bkp" of a documented command line parse; what they do is not run.
void require_parses(const std::string& line) {
  INFO(line);
  std::vector<std::string> words = test::shell_words(line);
  REQUIRE(words.size() > 1);
  REQUIRE(words[0] == "bkp");
  words.erase(words.begin());
  const Words split = split_words(words);
  CHECK_NOTHROW(parse_invocation(split, words));
}

}  // namespace

TEST_CASE("every command has a name, a group, one line of summary, and examples that parse") {
  const std::set<std::string> groups{"Setup", "Backup", "Look", "Restore", "Keep"};
  std::set<std::string> names;
  for (const Command& command : commands()) {
    INFO(command.name);
    CHECK(names.insert(command.name).second);
    CHECK(groups.count(command.group) == 1);
    const std::string summary = command.summary;
    CHECK(summary.size() <= 70);
    CHECK(summary.back() != '.');
    CHECK(std::islower(static_cast<unsigned char>(summary.front())));
    for (const std::string& line : lines_of(command.examples)) require_parses(line);
  }
}

TEST_CASE("commands of a group stand together in the overview") {
  std::set<std::string> done;
  std::string current;
  for (const Command& command : commands()) {
    if (current == command.group) continue;
    CHECK(done.insert(command.group).second);
    current = command.group;
  }
}

TEST_CASE("the overview names every command with its summary") {
  const std::string text = overview();
  for (const Command& command : commands()) {
    CHECK(text.find(std::string("\n  ") + command.name + " ") != std::string::npos);
    CHECK(text.find(command.summary) != std::string::npos);
  }
}

TEST_CASE("a command's help names every option it has, and fits 100 columns") {
  for (const Command& command : commands()) {
    INFO(command.name);
    const std::string brief = short_help(command);
    const std::string whole = long_help(command);
    for (const std::string& name : declared_options(command, false)) {
      CHECK(brief.find("--" + name) != std::string::npos);
      CHECK(whole.find("--" + name) != std::string::npos);
    }
    for (const std::string& name : declared_options(command, true))
      CHECK(whole.find("--" + name) != std::string::npos);
    for (const std::string& line : lines_of(brief)) CHECK(line.size() <= 100);
    CHECK(lines_of(brief).size() <= 36);  // restore has many modes
    CHECK(whole.find(std::string("man bkp-") + command.name) != std::string::npos);
  }
}

TEST_CASE("every command has a man page that tells its options, and no others") {
  for (const Command& command : commands()) {
    INFO(command.name);
    const std::string page = man_page(std::string("bkp-") + command.name);
    CHECK(page.find(std::string(".Nm bkp-") + command.name + "\n") != std::string::npos);
    CHECK(page.find(std::string(".Nd ") + command.summary) != std::string::npos);
    for (const char* section : {"SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"})
      CHECK(page.find(std::string(".Sh ") + section + "\n") != std::string::npos);
    const std::set<std::string> told = options_told(page);
    const std::set<std::string> own = declared_options(command, false);
    const std::set<std::string> global = declared_options(command, true);
    for (const std::string& name : own) {
      INFO(name);
      CHECK(told.count(name) == 1);
    }
    for (const std::string& name : told) {
      INFO(name);
      CHECK((own.count(name) == 1 || global.count(name) == 1));
    }
  }
}

TEST_CASE("bkp(1) names every command and every option that all have") {
  const std::string page = man_page("bkp");
  for (const Command& command : commands()) {
    CHECK(page.find(std::string(".It Cm ") + command.name + "\n") != std::string::npos);
    CHECK(page.find(std::string(".Xr bkp-") + command.name + " 1") != std::string::npos);
    for (const std::string& name : declared_options(command, true))
      CHECK(options_told(page).count(name) == 1);
  }
}

TEST_CASE("no man page is of a command that is not there, and their examples parse") {
  for (const auto& entry : std::filesystem::directory_iterator(kSource / "man")) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".1")) continue;
    INFO(name);
    if (name.starts_with("bkp-")) CHECK(find_command(name.substr(4, name.size() - 6)) != nullptr);
    for (const std::string& line : lines_of(read_file(entry.path())))
      if (line.starts_with(".Dl bkp ")) require_parses(line.substr(4));
  }
}

TEST_CASE("completion offers every command, and every option of each") {
  const std::set<std::string> all = offered({""});
  for (const Command& command : commands()) {
    INFO(command.name);
    CHECK(all.count(command.name) == 1);
    const std::set<std::string> options = offered({command.name, "--"});
    for (const bool global : {false, true})
      for (const std::string& name : declared_options(command, global))
        CHECK(options.count("--" + name) == 1);
  }
}

TEST_CASE("completion offers the values that an option takes") {
  CHECK(offered({"list", "--sort", ""}) ==
        std::set<std::string>{"created", "size", "duration", "database"});
  CHECK(offered({"list", "--sort=d"}) ==
        std::set<std::string>{"--sort=duration", "--sort=database"});
  CHECK(offered({"-c", ""}) == std::set<std::string>{":file"});
  CHECK(offered({"init", "--local", ""}) == std::set<std::string>{":directory"});
  CHECK(offered({"key", ""}) == std::set<std::string>{"generate", "list", "rotate", "rewrap",
                                                      "retire", "export", "import"});
  CHECK(offered({"--json", "res"}) == std::set<std::string>{"restore"});
  CHECK(offered({"help", "ver"}) == std::set<std::string>{"verify"});
}

TEST_CASE("completion says nothing where there is no configuration and no such command") {
  CHECK(complete({"-c", "/nonexistent/bkp.toml", "show", ""}).empty());
  CHECK(complete({"frobnicate", ""}).empty());
  CHECK(complete({}).empty());
}

TEST_CASE("the shells' completion functions ask the program") {
  for (const char* name : {"bkp.bash", "_bkp", "bkp.fish"})
    CHECK(read_file(kSource / "completions" / name).find("__complete -- ") != std::string::npos);
}
