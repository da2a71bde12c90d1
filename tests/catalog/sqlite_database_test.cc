#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <fstream>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "catalog/catalog_contract.h"
#include "catalog/sql_database.h"

using namespace bkp;

namespace {

struct Place {
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "bkp-sqlite-"};
  std::string file = (directory.path() / "catalog.db").string();
  std::string url = "sqlite:" + file;
};

Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return {ErrorCode::failed, ""};
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

std::string one(SqlDatabase& database, std::string_view statement) {
  return std::get<std::string>(database.query(statement, {}).at(0).at(0));
}

}  // namespace

TEST_CASE("a new catalog, and what SQLite puts beside it, is its owner's alone") {
  const Place place;
  const mode_t before = ::umask(0);
  const auto database = open_sql_database(place.url);
  Catalog catalog(open_sql_database(place.url));
  ::umask(before);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    INFO(suffix);
    CHECK(mode_of(place.file + suffix) == 0600);
  }
}

TEST_CASE("writes are durable, foreign keys hold, and readers do not stop writers") {
  const Place place;
  const auto database = open_sql_database(place.url);
  CHECK(one(*database, "PRAGMA journal_mode") == "wal");
  CHECK(database->query("PRAGMA synchronous", {}).at(0).at(0) == SqlValue(std::int64_t{2}));
  CHECK(database->query("PRAGMA foreign_keys", {}).at(0).at(0) == SqlValue(std::int64_t{1}));
  CHECK(database->describe() == "'" + place.file + "'");
}

TEST_CASE("values go in by number, in any order, and come back as they were") {
  const Place place;
  const auto database = open_sql_database(place.url);
  database->query("CREATE TABLE t (a TEXT, b BIGINT, c DOUBLE PRECISION, d TEXT)", {});
  const std::vector<SqlValue> values{std::string("it's"), std::int64_t{-1} << 62, 0.1, nullptr};
  database->query("INSERT INTO t (d, c, b, a) VALUES ($4, $3, $2, $1)", values);
  CHECK(database->query("SELECT a, b, c, d FROM t WHERE b = $2 AND a = $1",
                        std::span(values).first(2)) == std::vector<SqlRow>{values});
  CHECK(database->has_table("t"));
  CHECK_FALSE(database->has_table("u"));
}

TEST_CASE("a url of another kind is refused without its password") {
  const Error other = error_of([] { open_sql_database("mysql://bkp:secret@db/bkp"); });
  CHECK(other.code() == ErrorCode::usage);
  CHECK(other.message() == "catalog url 'mysql:…' is not known");
  CHECK(other.hint() ==
        "write sqlite:/path, such as sqlite:/var/lib/bkp/catalog.db, or postgresql://…");
  for (const char* url : {"sqlite:catalog.db", "sqlite:", "sqlite:/var/lib/"})
    CHECK(error_of([&] { open_sql_database(url); }).message() ==
          "catalog url '" + std::string(url) + "' does not name a file by its whole path");
}

TEST_CASE("a directory that is not there is named, with what makes it") {
  const Place place;
  const std::string directory = place.directory.path() / "none";
  const Error error = error_of([&] { open_sql_database("sqlite:" + directory + "/catalog.db"); });
  CHECK(error.message() ==
        "cannot open the catalog '" + directory + "/catalog.db': No such file or directory");
  CHECK(error.hint() == "create the directory '" + directory + "', or let 'bkp init' do it");
}

TEST_CASE("a file that is no catalog is called damaged and left alone") {
  const Place place;
  const std::string garbage(8192, 'x');
  std::ofstream(place.file) << garbage;
  const Error error = error_of([&] { open_sql_database(place.url); });
  CHECK(error.message() == "the catalog is damaged: '" + place.file + "': file is not a database");
  CHECK_THAT(error.hint(), Catch::StartsWith("'bkp catalog rebuild' makes it anew"));
  CHECK(read_file(place.file) == garbage);
}

TEST_CASE("a catalog that was cut to nothing is damaged, not new") {
  const Place place;
  { Catalog catalog(open_sql_database(place.url)); }
  std::filesystem::resize_file(place.file, 0);
  for (const SqlAccess access : {SqlAccess::read, SqlAccess::write})
    CHECK_THROWS_AS(open_sql_database(place.url, access), CatalogDamaged);
  CHECK(std::filesystem::file_size(place.file) == 0);
}

TEST_CASE("a catalog whose making was killed is made by the next") {
  const Place place;
  std::ofstream(place.file + ".new") << "half a page";
  Catalog catalog(open_sql_database(place.url));
  CHECK(catalog.backups({}).empty());
  CHECK_FALSE(std::filesystem::exists(place.file + ".new"));
}

TEST_CASE("opened for reading it takes no change, and is not made where there is none") {
  const Place place;
  CHECK_THROWS_AS(open_sql_database(place.url, SqlAccess::read), Error);
  CHECK_FALSE(std::filesystem::exists(place.file));
  { Catalog catalog(open_sql_database(place.url)); }
  Catalog catalog = open_catalog(place.url, SqlAccess::read);
  CHECK(catalog.backups({}).empty());
  CHECK_THROWS_AS(catalog.put_run({}), Error);
  Catalog writer(open_sql_database(place.url));
  writer.put_backup(test::sample_backup("10000000-0000-4000-8000-000000000001"));
  CHECK(catalog.backups({}).size() == 1);
}

TEST_CASE("of a catalog of several clusters each finds its own backups") {
  const Place place;
  Catalog all(open_sql_database(place.url));
  BackupRecord backup = test::sample_backup("10000000-0000-4000-8000-000000000001");
  backup.cluster = "shop";
  all.put_backup(backup);
  backup.id = "20000000-0000-4000-8000-000000000002";
  backup.cluster = "other";
  all.put_backup(backup);
  const Catalog shop = open_catalog(place.url, SqlAccess::read, "shop");
  CHECK(all.backups({}).size() == 2);
  CHECK(shop.backups({}).size() == 1);
  CHECK(shop.find_backup("1000").cluster == "shop");
  CHECK(shop.find_backup(backup.filename).cluster == "shop");
  CHECK_THROWS_AS(shop.find_backup("2000"), NoSuchBackup);
  CHECK_THROWS_AS(shop.find_backup("20000000-0000-4000-8000-000000000002"), NoSuchBackup);
}

TEST_CASE("a catalog whose pages are overwritten is called damaged") {
  const Place place;
  {
    Catalog catalog(open_sql_database(place.url));
    for (int i = 0; i < 50; ++i)
      catalog.put_backup(
          test::sample_backup(std::to_string(1000 + i) + "0000-0000-4000-8000-000000000001"));
  }
  std::string content = read_file(place.file);
  for (std::size_t i = 4096; i < content.size(); ++i) content[i] = 'x';
  std::ofstream(place.file) << content;
  CHECK_THAT(error_of([&] { Catalog(open_sql_database(place.url)).backups({}); }).message(),
             Catch::StartsWith("the catalog is damaged: '" + place.file + "': "));
}

TEST_CASE("a full disk undoes the change and says so") {
  const Place place;
  Catalog catalog([&] {
    auto database = open_sql_database(place.url);
    { Catalog schema(open_sql_database(place.url)); }
    database->query("PRAGMA max_page_count = 40", {});
    return database;
  }());
  const Error error = error_of([&] {
    catalog.transaction([&] {
      for (int i = 0; i < 1000; ++i)
        catalog.put_backup(
            test::sample_backup(std::to_string(1000 + i) + "0000-0000-4000-8000-000000000001"));
    });
  });
  CHECK(error.message() ==
        "cannot write the catalog '" + place.file + "': database or disk is full");
  CHECK(error.hint() ==
        "free space on the file system of '" + place.directory.path().string() + "'");
  CHECK(catalog.backups({}).empty());
}

TEST_CASE("a wait for another's change ends at once when the process is told to stop") {
  const Place place;
  const auto holder = open_sql_database(place.url);
  const auto waiter = open_sql_database(place.url);
  install_signal_handlers();
  const auto before = std::chrono::steady_clock::now();
  holder->transaction([&] {
    ::raise(SIGTERM);
    CHECK(error_of([&] { waiter->transaction([] {}); }).message() == "stopped by SIGTERM");
  });
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(15));  // it has 30
  clear_interrupt();
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  waiter->transaction([] {});
}
