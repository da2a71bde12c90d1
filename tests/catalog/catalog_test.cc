#include "catalog/catalog.h"

#include <catch2/catch.hpp>

#include "base/fd.h"
#include "catalog/catalog_contract.h"

using namespace bkp;
using namespace bkp::test;

namespace {

// One SQLite file, gone when the test is.
class SqlitePlace {
 public:
  OpenDatabase open() const {
    return
        [this] { return open_sql_database("sqlite:" + (place_.path() / "catalog.db").string()); };
  }

 private:
  TemporaryDirectory place_{std::filesystem::temp_directory_path(), "bkp-catalog-"};
};

}  // namespace

TEST_CASE("SQLite: the schema is made once and a newer one is refused") {
  const SqlitePlace place;
  check_schema(place.open());
}
TEST_CASE("SQLite: backups and their copies are kept by id and storage") {
  const SqlitePlace place;
  check_backups(place.open());
}
TEST_CASE("SQLite: backups are found by any filter, sorted and limited") {
  const SqlitePlace place;
  check_filters(place.open());
}
TEST_CASE("SQLite: one backup is found by UUID, a beginning of it, or file name") {
  const SqlitePlace place;
  check_find(place.open());
}
TEST_CASE("SQLite: restores and runs are kept, newest first") {
  const SqlitePlace place;
  check_history(place.open());
}
TEST_CASE("SQLite: there is one unresolved alert for one thing") {
  const SqlitePlace place;
  check_alerts(place.open());
}
TEST_CASE("SQLite: a transaction is all or nothing, also inside of another") {
  const SqlitePlace place;
  check_transactions(place.open());
}
TEST_CASE("SQLite: several processes use one catalog, and one that is killed does no harm") {
  const SqlitePlace place;
  check_processes(place.open());
}
