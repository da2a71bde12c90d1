#include "catalog/records.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;

TEST_CASE("every value of a record's states has one name, in both directions") {
  for (const char* name : {"FULL_DATABASE", "TENANT_BACKUP", "BASE", "CONFIGURATION"})
    CHECK(to_text(parse_backup_type(name)) == name);
  for (const char* name : {"PENDING", "IN_PROGRESS", "COMPLETED", "VERIFIED", "FAILED", "DELETED"})
    CHECK(to_text(parse_backup_status(name)) == name);
  for (const char* name :
       {"WRITING", "GOOD", "MISSING", "DAMAGED", "FAILED", "DELETING", "DELETED", "ABSENT"})
    CHECK(to_text(parse_copy_state(name)) == name);
  for (const char* name : {"INFO", "WARNING", "CRITICAL"})
    CHECK(to_text(parse_alert_severity(name)) == name);
  for (const char* name : {"OPEN", "ACKNOWLEDGED", "RESOLVED"})
    CHECK(to_text(parse_alert_state(name)) == name);
}

TEST_CASE("another name is refused with those there are") {
  try {
    parse_backup_type("full_database");
    FAIL();
  } catch (const Error& error) {
    CHECK(error.message() == "'full_database' is not a backup type");
    CHECK(error.hint() == "known are FULL_DATABASE, TENANT_BACKUP, BASE, CONFIGURATION");
  }
  CHECK_THROWS_AS(parse_backup_status(""), Error);
  CHECK_THROWS_AS(parse_copy_state("GOOD "), Error);
  CHECK_THROWS_AS(parse_alert_severity("ERROR"), Error);
  CHECK_THROWS_AS(parse_alert_state("CLOSED"), Error);
}
