#include "repo/globals_json.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;

namespace {

Globals sample() {
  Globals globals;
  globals.major = 15;
  globals.bootstrap = "postgres";
  globals.passwords = true;
  GlobalRole role;
  role.name = "Größe \"x\" \\";
  role.login = true;
  role.connection_limit = 3;
  role.valid_until = "infinity";
  role.password = Secret(std::string_view("SCRAM-SHA-256$4096:x"));
  role.comment = "two\nlines";
  role.security_labels = {"dummy=secret"};
  globals.roles = {role};
  globals.settings = {{"", "work_mem", "1MB"}};
  globals.memberships = {{"r", "m", "", true, false, true}};
  globals.tablespaces = {
      {"fast", "postgres", "/mnt/fast", {"a=1"}, false, {{"g", "", "CREATE", true}}, "c", {"p=l"}}};
  globals.parameters = {{"log_statement", {{"postgres", "m", "SET", false}}}};
  return globals;
}

}  // namespace

TEST_CASE("globals go both ways through a manifest") {
  Manifest manifest;
  CHECK_FALSE(globals_of(manifest).globals);
  CHECK_FALSE(globals_of(manifest).problem.empty());
  manifest.details = R"({"other":1})";
  const std::string encoded = encode_globals(sample());
  put_globals(manifest, encoded);
  CHECK(manifest.details.starts_with(R"({"other":1,)"));
  const ManifestGlobals read = globals_of(manifest);
  REQUIRE(read.globals);
  CHECK(encode_globals(*read.globals) == encoded);
  CHECK(encode_globals(decode_globals(encoded)) == encoded);
  CHECK(read.globals->roles[0].password.reveal_text() == "SCRAM-SHA-256$4096:x");
  CHECK(read.globals->memberships == sample().memberships);
}

TEST_CASE("a manifest says why it has no globals, whatever bytes the reason has") {
  Manifest manifest;
  put_globals_problem(manifest, "not to be read: caf\xe9");
  CHECK_FALSE(globals_of(manifest).globals);
  CHECK(globals_of(manifest).problem == "not to be read: caf\xef\xbf\xbd");
}

TEST_CASE("globals with a name that is not UTF-8 are refused, damaged ones too") {
  Globals globals = sample();
  globals.roles[0].name = "caf\xe9";
  CHECK_THROWS_AS(encode_globals(globals), Error);
  CHECK_THROWS_AS(decode_globals("{}"), Error);
  CHECK_THROWS_AS(decode_globals("{"), Error);
}
