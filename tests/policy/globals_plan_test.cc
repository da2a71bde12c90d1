#include "policy/globals_plan.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace bkp;

namespace {

Globals server(int major, std::vector<std::string> roles) {
  Globals globals;
  globals.major = major;
  globals.bootstrap = "postgres";
  globals.passwords = true;
  roles.insert(roles.begin(), "postgres");
  for (const std::string& name : roles) {
    GlobalRole role;
    role.name = name;
    globals.roles.push_back(std::move(role));
  }
  return globals;
}

std::vector<std::string> grants(const GlobalsPlan& plan) {
  std::vector<std::string> found;
  for (const GlobalsStatement& statement : plan.statements)
    if (statement.sql.starts_with("GRANT ")) found.push_back(statement.sql);
  return found;
}

std::string told(const GlobalsPlan& plan) {
  std::string all;
  for (const GlobalsDifference& difference : plan.differences) all += difference.what + "\n";
  return all;
}

}  // namespace

TEST_CASE("a server that has all of it needs nothing, and nothing differs") {
  const Globals globals = server(15, {"anna"});
  const GlobalsPlan plan = plan_globals(globals, globals);
  CHECK(plan.statements.empty());
  CHECK(plan.differences.empty());
  CHECK(plan.roles.empty());
}

TEST_CASE("a password is in no statement that is shown, and comes after all others") {
  Globals wanted = server(15, {"anna", "berta"});
  wanted.roles[1].password = Secret(std::string_view("md5'secret"));
  wanted.roles[2].login = true;
  const GlobalsPlan plan = plan_globals(wanted, server(15, {}));
  REQUIRE(plan.statements.size() == 3);
  CHECK(plan.statements[0].sql.starts_with("CREATE ROLE anna WITH NOSUPERUSER INHERIT "));
  CHECK(plan.statements[2].sql == "ALTER ROLE anna PASSWORD '****'");
  CHECK(plan.statements[2].hidden.reveal_text() == "ALTER ROLE anna PASSWORD 'md5''secret'");
  CHECK(plan.without_password == std::vector<std::string>{"berta"});
}

TEST_CASE("from 16 on a grant waits for the admin option that it stands on") {
  Globals wanted = server(17, {"a", "b", "c", "r"});
  wanted.memberships = {{"r", "a", "c", false, true, true},
                        {"r", "b", "postgres", true, true, true},
                        {"r", "c", "b", true, false, false}};
  CHECK(grants(plan_globals(wanted, server(17, {}))) ==
        std::vector<std::string>{
            "GRANT r TO b WITH ADMIN TRUE, INHERIT TRUE, SET TRUE",
            "GRANT r TO c WITH ADMIN TRUE, INHERIT FALSE, SET FALSE GRANTED BY b",
            "GRANT r TO a WITH ADMIN FALSE, INHERIT TRUE, SET TRUE GRANTED BY c"});
}

TEST_CASE("a grant whose grantor has no admin option on the server is left out and told") {
  Globals wanted = server(16, {"a", "b", "r"});
  wanted.memberships = {{"r", "b", "postgres", true, true, true},
                        {"r", "a", "b", false, true, true}};
  const GlobalsPlan plan = plan_globals(wanted, server(16, {"b", "r"}));
  CHECK(grants(plan).empty());
  REQUIRE(plan.left_out.size() == 1);
  CHECK(plan.left_out[0] == "membership of 'a' in 'r': its grantor 'b' has no admin option here");
  CHECK_THAT(told(plan), Catch::Contains("role 'b': a member of 'r' with ADMIN"));
}

TEST_CASE("up to 15 grantors may stand in a circle, and later servers name none of them") {
  Globals wanted = server(15, {"a", "b", "r"});
  wanted.memberships = {{"r", "a", "b", true, true, true}, {"r", "b", "a", false, true, true}};
  CHECK(grants(plan_globals(wanted, server(14, {}))) ==
        std::vector<std::string>{"GRANT r TO a WITH ADMIN OPTION GRANTED BY b",
                                 "GRANT r TO b GRANTED BY a"});
  CHECK(grants(plan_globals(wanted, server(17, {}))) ==
        std::vector<std::string>{"GRANT r TO a WITH ADMIN OPTION", "GRANT r TO b"});
}

TEST_CASE("an older server gets no membership with more rights than the backup says") {
  Globals wanted = server(16, {"a", "b", "c", "r"});
  wanted.roles[2].inherit = false;
  wanted.memberships = {{"r", "a", "postgres", false, true, true},
                        {"r", "b", "postgres", false, false, true},
                        {"r", "c", "postgres", false, true, false}};
  const GlobalsPlan plan = plan_globals(wanted, server(15, {}));
  CHECK(grants(plan) == std::vector<std::string>{"GRANT r TO a", "GRANT r TO b"});
  REQUIRE(plan.left_out.size() == 1);
  CHECK_THAT(plan.left_out[0], Catch::StartsWith("membership of 'c' in 'r': PostgreSQL 15 "));
}

TEST_CASE("what both have is compared and never changed") {
  Globals wanted = server(15, {"anna"}), there = server(15, {"anna"});
  wanted.roles[1].create_database = true;
  wanted.roles[1].comment = "it's her";
  wanted.roles[1].password = Secret(std::string_view("one"));
  there.roles[1].password = Secret(std::string_view("two"));
  wanted.settings = {{"anna", "work_mem", "1MB"}, {"", "lock_timeout", "1s"}};
  there.settings = {{"anna", "jit", "off"}};
  const GlobalsPlan plan = plan_globals(wanted, there);
  CHECK(plan.statements.empty());
  CHECK(told(plan) ==
        "role 'anna': CREATEDB in the backup, NOCREATEDB here\n"
        "role 'anna': another password in the backup\n"
        "role 'anna': the comment is 'it's her' in the backup, none here\n"
        "all roles: lock_timeout = '1s' in the backup, not set here\n"
        "role 'anna': work_mem = '1MB' in the backup, not set here\n"
        "role 'anna': jit is not set in the backup, 'off' here\n");
  CHECK(plan.differences[0].sql == "ALTER ROLE anna CREATEDB;");
  CHECK(plan.differences[1].sql.empty());
  there.passwords = false;
  CHECK(told(plan_globals(wanted, there)).find("password") == std::string::npos);
}

TEST_CASE("a tablespace in the data directory is made without a place of its own") {
  Globals wanted = server(15, {});
  wanted.tablespaces = {
      {"inside", "postgres", "pg_tblspc/16384", {"seq_page_cost=1.5"}, true, {}, "", {}}};
  const GlobalsPlan plan = plan_globals(wanted, server(15, {}));
  REQUIRE(plan.tablespaces.size() == 1);
  CHECK(plan.tablespaces[0].before[0].sql == "SET allow_in_place_tablespaces = on");
  CHECK(plan.tablespaces[0].create.sql ==
        "CREATE TABLESPACE inside OWNER postgres LOCATION '' WITH (seq_page_cost = '1.5')");
}
