#include "config/env_file.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/error.h"

using namespace bkp;

namespace {
std::string value(const EnvFile& variables, const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? "absent" : std::string(found->second.reveal_text());
}
}  // namespace

TEST_CASE("env_file holds KEY=VALUE lines, quoted or not") {
  const EnvFile variables = parse_env_file(
      "# a comment\n"
      "   # another\n"
      "\n"
      "A=1\r\n"
      "  B_2=indented  \n"
      "export C=two words # not a comment\n"
      "D='it is $HOME \\n \"so\"'   # comment\n"
      "E=\"a\\\"b\\\\c\\$d\\`e\\n\"\n"
      "F=\n"
      "G=x=y==\n"
      "A=2\n"
      "exporter=1\n"
      "H=last",
      "/s.env");
  CHECK(value(variables, "A") == "2");
  CHECK(value(variables, "B_2") == "indented");
  CHECK(value(variables, "C") == "two words # not a comment");
  CHECK(value(variables, "D") == "it is $HOME \\n \"so\"");
  CHECK(value(variables, "E") == "a\"b\\c$d`e\\n");
  CHECK(value(variables, "F").empty());
  CHECK(value(variables, "G") == "x=y==");
  CHECK(value(variables, "H") == "last");
  CHECK(variables.size() == 9);
  CHECK(parse_env_file("", "/s.env").empty());
}

TEST_CASE("another line in env_file is an error that names the line and no more") {
  for (const char* line : {"hunter2", "=hunter2", "1A=hunter2", "A B=hunter2", "A =hunter2",
                           "A='hunter2", "A=\"hunter2", "A=\"hunter2\\\"", "A='hunter2' x",
                           "A=\"hunter2\"\"\"", "export", "export A", "A-B=hunter2"}) {
    INFO(line);
    try {
      parse_env_file("OK=1\n" + std::string(line) + "\n", "/s.env");
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK_THAT(error.message(), Catch::StartsWith("/s.env:2: "));
      CHECK(error.message().find("hunter2") == std::string::npos);
    }
  }
}

TEST_CASE("the process's environment comes before env_file") {
  const EnvFile variables = parse_env_file("BKP_TEST_A=file\nBKP_TEST_B=file\n", "/s.env");
  ::setenv("BKP_TEST_A", "environment", 1);
  CHECK(environment_variable("BKP_TEST_A", variables)->reveal_text() == "environment");
  CHECK(environment_variable("BKP_TEST_B", variables)->reveal_text() == "file");
  CHECK_FALSE(environment_variable("BKP_TEST_C", variables));
  ::unsetenv("BKP_TEST_A");
}
