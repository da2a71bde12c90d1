#include "catalog/stand_in.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "catalog/catalog_contract.h"

using namespace bkp;

namespace {

constexpr const char* kFirst = "0d9c1f2e-0000-4000-8000-000000000001";
constexpr const char* kSecond = "0d9c1f2e-0000-4000-8000-000000000002";

// A catalog whose server can go away.
class Flaky final : public SqlDatabase {
 public:
  Flaky(std::unique_ptr<SqlDatabase> database, const bool& away)
      : database_(std::move(database)), away_(away) {}
  std::vector<SqlRow> query(std::string_view statement, std::span<const SqlValue> values) override {
    answer();
    return database_->query(statement, values);
  }
  void transaction(const std::function<void()>& work) override {
    answer();
    database_->transaction([&] {
      work();
      answer();
    });
  }
  bool has_table(std::string_view name) override { return database_->has_table(name); }
  std::string describe() const override { return database_->describe(); }

 private:
  void answer() const {
    if (away_) throw CatalogUnreachable(ErrorCode::failed, "it is away");
  }
  std::unique_ptr<SqlDatabase> database_;
  const bool& away_;
};

struct Place {
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "bkp-stand-in-"};
  std::filesystem::path file = stand_in_file(directory.path(), "shop");
  std::string url = "sqlite:" + (directory.path() / "catalog.db").string();
  bool away = false;
  std::vector<std::string> told;

  Catalog open() {
    return Catalog(with_stand_in(
        [this]() -> std::unique_ptr<SqlDatabase> {
          if (away) throw CatalogUnreachable(ErrorCode::failed, "it is away");
          return std::make_unique<Flaky>(open_sql_database(url), away);
        },
        {file, "'the catalog'",
         [this](const Error& reason) { told.push_back(reason.message()); }}));
  }
};

}  // namespace

TEST_CASE("while the catalog answers, nothing stands in for it") {
  Place place;
  place.open().put_backup(test::sample_backup(kFirst));
  CHECK(place.told.empty());
  CHECK_FALSE(std::filesystem::exists(place.file));
  CHECK(Catalog(open_sql_database(place.url)).backup(kFirst));
}

TEST_CASE("a catalog that is away from the start is stood in for, and gets it all later") {
  Place place;
  place.away = true;
  {
    Catalog catalog = place.open();
    catalog.put_backup(test::sample_backup(kFirst));
    RunRecord run;
    run.id = kSecond;
    catalog.put_run(run);
    AlertRecord alert;
    alert.id = kFirst;
    alert.dedup_key = "x";
    catalog.raise_alert(alert);
    CHECK(catalog.backup(kFirst));
  }
  CHECK(place.told == std::vector<std::string>{"it is away"});
  Catalog real(open_sql_database(place.url));
  CHECK_FALSE(real.backup(kFirst));
  CHECK(hand_over(place.file, real) == 2);
  CHECK(real.backup(kFirst)->copies.size() == 2);
  CHECK(real.runs(10).size() == 1);
  CHECK(real.alerts({}).size() == 1);
  CHECK_FALSE(std::filesystem::exists(place.file));
}

TEST_CASE("a catalog that goes away in the middle is stood in for from then on") {
  Place place;
  Catalog catalog = place.open();
  catalog.put_backup(test::sample_backup(kFirst));

  SECTION("between two changes") {
    place.away = true;
    catalog.put_backup(test::sample_backup(kSecond));
  }
  SECTION("inside of a change, which is made again whole") {
    int runs = 0;
    catalog.transaction([&] {
      ++runs;
      catalog.put_backup(test::sample_backup(kSecond));
      place.away = true;
    });
    CHECK(runs == 2);
  }
  place.away = false;  // back, but this run has made up its mind
  BackupRecord changed = test::sample_backup(kFirst);
  changed.note = "changed";
  catalog.put_backup(changed);
  CHECK(place.told.size() == 1);
  Catalog real(open_sql_database(place.url));
  CHECK_FALSE(real.backup(kSecond));
  CHECK(real.backup(kFirst)->note != "changed");
  hand_over(place.file, real);
  CHECK(real.backup(kSecond));
  CHECK(real.backup(kFirst)->note == "changed");
}

TEST_CASE("what was deleted in the catalog meanwhile stays deleted") {
  Place place;
  place.away = true;
  place.open().put_backup(test::sample_backup(kFirst));
  Catalog real(open_sql_database(place.url));
  BackupRecord deleted = test::sample_backup(kFirst);
  deleted.status = BackupStatus::deleted;
  real.put_backup(deleted);
  hand_over(place.file, real);
  CHECK(real.backup(kFirst)->status == BackupStatus::deleted);
}

TEST_CASE("files of runs that have ended are found, those of others are left alone") {
  Place place;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  const auto make = [&](const std::string& name) {
    write_file_atomically(place.directory.path() / name, "", 0600);
    return place.directory.path() / name;
  };
  const auto left = make("shop-unsent-" + std::to_string(child) + ".db");
  make("shop-unsent-" + std::to_string(::getpid()) + ".db");
  make("shop-unsent-x.db");
  make("shop-unsent-.db");
  make("other-unsent-" + std::to_string(child) + ".db");
  make("shop-unsent-" + std::to_string(child) + ".db-wal");
  CHECK(left_stand_ins(place.directory.path(), "shop") == std::vector{left});
  CHECK(left_stand_ins(place.directory.path() / "none", "shop").empty());
}
