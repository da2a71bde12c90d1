#include "backup/coverage.h"

#include <catch2/catch.hpp>

using namespace bkp;

TEST_CASE("what a dump leaves out is in the manifest's details, beside what is there already") {
  Config config;
  Manifest manifest;
  record_coverage(config, manifest);
  CHECK(manifest.details == "{}");
  CHECK(coverage_of(manifest).left_out.empty());
  config.exclude_schemas = {"tmp*", "\"Odd \"\"x\""};
  config.exclude_table_data = {"public.log"};
  manifest.details = R"({"other":1})";
  record_coverage(config, manifest);
  CHECK(manifest.details.find("\"other\":1") != std::string::npos);
  CHECK(coverage_of(manifest).left_out == "schemas tmp*, \"Odd \"\"x\"; rows of tables public.log");
}

TEST_CASE("a backup without digests says so") {
  Manifest manifest;
  CHECK(coverage_of(manifest).digests);
  manifest.tables.resize(2);
  CHECK(!coverage_of(manifest).digests);
  manifest.tables[1].digest = "00";
  CHECK(coverage_of(manifest).digests);
}
