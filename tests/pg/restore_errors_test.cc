#include <catch2/catch.hpp>

#include "pg/tools.h"

using namespace bkp;

namespace {

const std::string kUnknownSetting =
    "pg_restore: while INITIALIZING:\n"
    "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
    "\"transaction_timeout\"\n"
    "Command was: SET transaction_timeout = 0;\n";

std::string ignored(int count) {
  return "pg_restore: warning: errors ignored on restore: " + std::to_string(count) + "\n";
}

}  // namespace

TEST_CASE("a SET of a setting that the server does not know is harmless, and nothing else is") {
  CHECK(restore_errors(1, kUnknownSetting + ignored(1)).empty());
  CHECK(restore_errors(1, kUnknownSetting + kUnknownSetting + ignored(2)).empty());
  struct Case {
    const char* name;
    std::string output;
    const char* says;
  };
  const std::string unknown =
      "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
      "\"x\"\n";
  const Case cases[] = {
      {"another error",
       "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 215; 1259 16385 TABLE t "
       "postgres\npg_restore: error: could not execute query: ERROR:  role \"shop\" does not "
       "exist\nCommand was: ALTER TABLE public.t OWNER TO shop;\n\n\n",
       "role \"shop\" does not exist"},
      {"another command for it", unknown + "Command was: ALTER DATABASE d SET x = 0;\n", "x"},
      {"a SET of another name", unknown + "Command was: SET y = 0;\n", "x"},
      {"more than the SET", unknown + "Command was: SET x = 0; DROP TABLE t;\n", "x"},
      {"more lines", unknown + "Command was: SET x = 0;\nDROP TABLE t;\n", "x"},
      {"no command", unknown, "x"},
      {"not a query", "pg_restore: error: could not read from input file: end of file\n",
       "end of file"},
      {"COPY", "pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input syntax\n",
       "COPY failed"},
  };
  for (const Case& each : cases) {
    INFO(each.name);
    for (const std::string& output :
         {each.output + ignored(1), kUnknownSetting + each.output + ignored(2),
          each.output + kUnknownSetting + ignored(2)}) {
      const auto errors = restore_errors(output);
      REQUIRE(errors.size() == 1);
      CHECK_THAT(errors[0], Catch::Contains(each.says));
      CHECK(restore_errors(1, output) == errors);
    }
  }
}

TEST_CASE("warnings and notices are no errors") {
  CHECK(restore_errors(0, "pg_restore: warning: x\npg_restore: WARNING:  y\nDETAIL: z\n").empty());
  CHECK(restore_errors(0, "").empty());
}

TEST_CASE("errors whose text is lost still count") {
  CHECK(restore_errors(kUnknownSetting + ignored(3)).size() == 1);
  CHECK(restore_errors(kUnknownSetting.substr(20) + ignored(1)).empty());
}

TEST_CASE("a pg_restore that ended badly without saying so did not succeed") {
  CHECK(restore_errors(137, "").size() == 1);
  CHECK(restore_errors(137, kUnknownSetting).size() == 1);
  CHECK(restore_errors(1, "").size() == 1);
  CHECK(restore_errors(1, kUnknownSetting).size() == 1);
}
