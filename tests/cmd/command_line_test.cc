#include "command_line.h"

#include <catch2/catch.hpp>
#include <optional>

#include "base/error.h"
#include "commands.h"
#include "failure.h"
#include "session.h"
#include "shell_words.h"

using namespace bkp;

namespace {

Invocation parse(const std::string& line) {
  const std::vector<std::string> words = test::shell_words(line);
  return parse_invocation(split_words(words), words);
}

std::string refusal(const std::string& line) {
  try {
    parse(line);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    return failure_text(error, false);
  }
  return "accepted";
}

}  // namespace

TEST_CASE("options of every command are taken before and after its name") {
  for (const char* line :
       {"-c /x/bkp.toml --json --wait 30m dump", "dump -c /x/bkp.toml --json --wait 30m",
        "--json dump --config=/x/bkp.toml --wait=30m"}) {
    INFO(line);
    const Invocation invocation = parse(line);
    CHECK(std::string(invocation.command->name) == "dump");
    CHECK(invocation.globals.config == "/x/bkp.toml");
    CHECK(invocation.globals.json);
    CHECK(invocation.globals.wait == std::chrono::minutes(30));
  }
}

TEST_CASE("the value of an option before the command is not taken for the command") {
  CHECK(split_words({"-c", "list", "show", "latest"}).command == "show");
  CHECK(split_words({"--config=list", "show"}).command == "show");
  CHECK(split_words({"--json"}).command.empty());
}

TEST_CASE("only commands that change something take --actor") {
  CHECK(parse("dump --actor alice").globals.actor == "alice");
  CHECK(refusal("list --actor alice") != "accepted");
}

TEST_CASE("what the command line cannot mean is told in one message with what to type") {
  const std::pair<const char*, const char*> cases[] = {
      {"frobnicate",
       "bkp: error: unknown command 'frobnicate'\nhint: 'bkp -h' lists the commands\n"},
      {"lst", "bkp: error: unknown command 'lst'\nhint: did you mean 'list'?\n"},
      {"list --limt 3",
       "bkp: error: 'bkp list' has no option '--limt'\nhint: did you mean '--limit'?\n"},
      {"list --limt=3",
       "bkp: error: 'bkp list' has no option '--limt'\nhint: did you mean '--limit'?\n"},
      {"list -x",
       "bkp: error: 'bkp list' has no option '-x'\nhint: 'bkp list -h' lists its options\n"},
      {"list extra",
       "bkp: error: 'bkp list' takes no argument 'extra'\nhint: 'bkp list -h' lists its options\n"},
      {"list --limit", "bkp: error: option '--limit' needs a value\nhint: see 'bkp list -h'\n"},
      {"list --limit=", "bkp: error: option '--limit' needs a value\n"},
      {"list --limit none", "bkp: error: '--limit' takes a whole number from 1, not 'none'\n"},
      {"list --limit 0", "bkp: error: '--limit' takes a whole number from 1, not '0'\n"},
      {"list --limit -1", "bkp: error: '--limit' takes a whole number from 1, not '-1'\n"},
      {"list --limit 1 --limit 2",
       "bkp: error: '--limit' is given more than once\nhint: see 'bkp list -h'\n"},
      {"list --status VERIFYED",
       "bkp: error: '--status' is one of PENDING, IN_PROGRESS, COMPLETED, VERIFIED, FAILED, "
       "DELETED, not 'VERIFYED'\nhint: did you mean 'VERIFIED'?\n"},
      {"show", "bkp: error: 'bkp show' needs ID\nhint: see 'bkp show -h'\n"},
      {"key", "bkp: error: 'bkp key' needs ACTION\nhint: see 'bkp key -h'\n"},
      {"list -q -v", "bkp: error: '--quiet' and '--verbose' exclude each other\n"},
  };
  for (const auto& [line, message] : cases) {
    INFO(line);
    CHECK(refusal(line) == message);
  }
}

TEST_CASE("a time without a zone is refused with both readings") {
  const std::string told = refusal("list --since '2026-11-20 02:00'");
  CHECK(told.find("'--since'") != std::string::npos);
  CHECK(told.find("2026-11-20") != std::string::npos);
  CHECK(refusal("list --since 2026-11-20T02:00:00Z") == "accepted");
}

TEST_CASE("a choice is taken in any case") {
  CHECK(refusal("list --type full_database --sort SIZE") == "accepted");
}

TEST_CASE("help is asked for without what the command needs") {
  CHECK(split_words({"show", "-h"}).short_help);
  CHECK(split_words({"show", "--help"}).long_help);
  CHECK_FALSE(split_words({"show", "--", "-h"}).short_help);
}

TEST_CASE("the record of a run is what was typed, without passwords") {
  CHECK(recorded_words({"dump", "--note", "it's new"}) == "dump --note 'it'\\''s new'");
  CHECK(recorded_words({"init", "--conninfo", "dbname=shop password=geheim user=bkp"}) ==
        "init --conninfo 'dbname=shop password=**** user=bkp'");
  CHECK(recorded_words({"--conninfo=password='top secret' user=x"}) ==
        "'--conninfo=password=**** user=x'");
  CHECK(recorded_words({"postgresql://bkp:geheim@db.example/shop"}) ==
        "postgresql://bkp:****@db.example/shop");
  CHECK(recorded_words({"postgresql://bkp@db.example:5432/shop"}) ==
        "postgresql://bkp@db.example:5432/shop");
  CHECK(recorded_words({"postgresql://h/shop?user=a&password=geheim&x=y"}) ==
        "'postgresql://h/shop?user=a&password=****&x=y'");
  CHECK(recorded_words({"list", ""}) == "list ''");
}

TEST_CASE("a failure is told with every line of its hint, and as JSON") {
  const Error error(ErrorCode::failed, "cannot do 'it'", "GRANT a;\nGRANT b;");
  CHECK(failure_text(error, false) ==
        "bkp: error: cannot do 'it'\nhint: GRANT a;\nhint: GRANT b;\n");
  CHECK(failure_json(error).find("\"code\": 1") != std::string::npos);
  CHECK(failure_json(Error(ErrorCode::usage, "bad \xff byte")).find("\"hint\": null") !=
        std::string::npos);
}
