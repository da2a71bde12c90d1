#include "recovery/swap_plan.h"

#include <catch2/catch.hpp>

using namespace bkp;

namespace {

TimePoint noon() { return parse_rfc3339("2026-11-20T12:34:56Z"); }

}  // namespace

TEST_CASE("the old database is called after the moment, in UTC") {
  CHECK(name_before("shop", noon()) == "shop_before_20261120_123456");
  CHECK(name_before("shop", noon(), 2) == "shop_before_20261120_123456_2");
  CHECK(name_before("", noon()) == "_before_20261120_123456");
}

TEST_CASE("the old database's name stays within 63 bytes, cut at a character") {
  const std::string suffix = "_before_20261120_123456";
  CHECK(name_before(std::string(40, 'a'), noon()) == std::string(40, 'a') + suffix);
  CHECK(name_before(std::string(63, 'a'), noon()) == std::string(40, 'a') + suffix);
  CHECK(name_before("x" + std::string(62, 'a'), noon(), 12).size() == 63);
  std::string long_name = "a";
  for (int i = 0; i < 31; ++i) long_name += "ä";  // 63 bytes; byte 40 is the first of one
  CHECK(name_before(long_name, noon()).size() == 39 + suffix.size());
  std::string signs;
  for (int i = 0; i < 15; ++i) signs += "\U0001f600";
  CHECK(name_before(signs, noon()).size() == 40 + suffix.size());
}

TEST_CASE("what changes with a swapped database is told item by item") {
  DatabaseProperties old;
  old.owner = "anna";
  old.settings = {{"", "work_mem", "8MB"}, {"anna", "search_path", "a, b"}};
  old.acl = {"anna=CTc/anna"};
  old.default_acl = false;
  DatabaseProperties wanted = old;
  CHECK(property_changes(old, wanted).empty());
  wanted.owner = "bert";
  wanted.settings = {{"", "work_mem", "4MB"}};
  wanted.acl.push_back("=c/anna");
  CHECK(property_changes(old, wanted) ==
        std::vector<std::string>{"owner 'anna' becomes 'bert'",
                                 "privilege =c/anna comes from the backup",
                                 "setting work_mem = 8MB is not in the backup",
                                 "setting search_path = a, b of role anna is not in the backup",
                                 "setting work_mem = 4MB comes from the backup"});
  wanted = old;
  wanted.default_acl = true;
  CHECK(property_changes(old, wanted) ==
        std::vector<std::string>{"privileges become the default ones"});
}
