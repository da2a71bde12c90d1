#include "catalog/catalog_contract.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>

#include "base/error.h"
#include "base/uuid.h"
#include "catalog/migrations.h"
#include "catalog/record_json.h"
#include "nlohmann/json.hpp"

namespace bkp::test {

namespace {

constexpr const char* kFirst = "0d9c1f2e-0000-4000-8000-000000000001";
constexpr const char* kSecond = "0d9c1f2e-0000-4000-8000-000000000002";
constexpr const char* kThird = "7a000000-0000-4000-8000-000000000003";

TimePoint at(int minutes) {
  return parse_rfc3339("2026-11-20T02:00:00.000001Z") + std::chrono::minutes(minutes);
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

std::vector<std::string> ids(const std::vector<BackupRecord>& backups) {
  std::vector<std::string> result;
  for (const BackupRecord& backup : backups) result.push_back(backup.id);
  return result;
}

// Every field of a record, its copies in one order.
template <typename Record>
std::string text_of(Record record) {
  if constexpr (std::is_same_v<Record, BackupRecord>)
    std::sort(record.copies.begin(), record.copies.end(),
              [](const CopyRecord& a, const CopyRecord& b) { return a.storage < b.storage; });
  return to_json(record).dump();
}

AlertRecord sample_alert(const std::string& id, const std::string& key, int minutes = 0) {
  AlertRecord alert;
  alert.id = id;
  alert.dedup_key = key;
  alert.type = "BACKUP_FAILURE";
  alert.message = "it failed";
  alert.backup_id = kFirst;
  alert.storage = "r2";
  alert.run_id = kSecond;
  alert.first_at = alert.last_at = at(minutes);
  alert.details = R"({"a":1})";
  return alert;
}

RunRecord sample_run(const std::string& id, int minutes) {
  RunRecord run;
  run.id = id;
  run.command = "dump";
  run.arguments = "dump --note 'x'";
  run.host = "db1";
  run.actor = "ops";
  run.pid = 4711;
  run.started_at = at(minutes);
  return run;
}

// Runs `work` in a process of its own; returns how it ended, as waitpid(2) tells it.
pid_t start(const std::function<void()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child > 0) return child;
  try {
    work();
    ::_exit(0);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "{}\n", failure.what());
    ::_exit(1);
  }
}

int end_of(pid_t child) {
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

BackupRecord sample_backup(const std::string& id, int minutes) {
  BackupRecord backup;
  backup.id = id;
  backup.cluster = "shop";
  backup.type = BackupType::full_database;
  backup.status = BackupStatus::completed;
  backup.database = "shop";
  backup.tenant = "";
  backup.filename = "backup_full_database_" + id.substr(0, 8) + id.substr(35) + ".dump.gz.enc";
  backup.size_bytes = 1000;
  backup.plain_size_bytes = std::uint64_t{1} << 40;
  backup.checksum = std::string(64, 'a');
  backup.plain_checksum = std::string(64, 'b');
  backup.compression_ratio = 4.25;
  backup.duration_seconds = 12.5;
  backup.created_at = at(minutes);
  backup.completed_at = at(minutes + 1);
  backup.verified_at = at(minutes + 2);
  backup.proved_at = at(minutes + 3);
  backup.created_by = "ops";
  backup.host = "db1";
  backup.job_id = kThird;
  backup.note = "before the 'release'; größer";
  backup.error = "none";
  backup.held = true;
  backup.metadata = R"({"tables":{"public.a":1}})";
  backup.copies = {{"local", "shop/full_database/x", CopyState::good, 1000, "", at(2), ""},
                   {"r2", "shop/full_database/x", CopyState::damaged, 999, "\"e\"", {}, "short"}};
  return backup;
}

void check_schema(const OpenDatabase& open) {
  SECTION("a new database gets the schema, an old one keeps it") {
    { Catalog(open()).put_backup(sample_backup(kFirst)); }
    Catalog again(open());
    CHECK(again.backup(kFirst));
    CHECK(open()->query("SELECT version FROM catalog_version", {}) ==
          std::vector<SqlRow>{{std::int64_t{kCatalogVersion}}});
  }
  SECTION("a database of a newer program is refused, and stays as it is") {
    { Catalog make(open()); }
    open()->query("UPDATE catalog_version SET version = 99", {});
    const auto database = open();
    CHECK(error_of([&] { Catalog refused(open()); }) ==
          fmt::format("catalog {} has version 99, this bkp knows up to {}", database->describe(),
                      kCatalogVersion));
    CHECK(database->query("SELECT version FROM catalog_version", {}).front().front() ==
          SqlValue(std::int64_t{99}));
  }
  SECTION("processes that come first at once make one schema") {
    std::vector<pid_t> children;
    for (int i = 0; i < 6; ++i) children.push_back(start([&] { Catalog make(open()); }));
    for (const pid_t child : children) CHECK(end_of(child) == 0);
    CHECK(open()->query("SELECT version FROM catalog_version", {}).size() == 1);
  }
}

void check_backups(const OpenDatabase& open) {
  Catalog catalog(open());
  const BackupRecord backup = sample_backup(kFirst);
  catalog.put_backup(backup);

  SECTION("what was put comes back, every field") {
    REQUIRE(catalog.backup(kFirst));
    CHECK(text_of(*catalog.backup(kFirst)) == text_of(backup));
    CHECK(text_of(Catalog(open()).backups({}).at(0)) == text_of(backup));
  }
  SECTION("a backup that is not there is absent, not an error") {
    CHECK_FALSE(catalog.backup(kSecond));
  }
  SECTION("put again replaces, and copies that it does not name stay") {
    BackupRecord changed = backup;
    changed.status = BackupStatus::verified;
    changed.verified_at = std::nullopt;
    changed.copies = {backup.copies[1]};
    changed.copies[0].state = CopyState::good;
    catalog.put_backup(changed);
    changed.copies.push_back(backup.copies[0]);
    CHECK(text_of(*catalog.backup(kFirst)) == text_of(changed));
  }
  SECTION("a copy is put by backup and storage") {
    CopyRecord copy = backup.copies[0];
    copy.state = CopyState::missing;
    copy.error = "gone";
    catalog.put_copy(kFirst, copy);
    CopyRecord further = copy;
    further.storage = "b2";
    catalog.put_copy(kFirst, further);
    BackupRecord expected = backup;
    expected.copies = {further, copy, backup.copies[1]};
    CHECK(text_of(*catalog.backup(kFirst)) == text_of(expected));
  }
  SECTION("a copy of a backup that is not there is refused") {
    CHECK_THROWS_AS(catalog.put_copy(kSecond, backup.copies[0]), Error);
  }
  SECTION("removing a backup removes its copies, and no other's") {
    catalog.put_backup(sample_backup(kSecond));
    catalog.remove_backup(kFirst);
    CHECK_FALSE(catalog.backup(kFirst));
    CHECK(catalog.backup(kSecond)->copies.size() == 2);
    CHECK(open()->query("SELECT 1 FROM copies", {}).size() == 2);
    catalog.remove_backup(kFirst);
  }
  SECTION("text that is no UTF-8 is kept readable") {
    BackupRecord broken = sample_backup(kSecond);
    broken.note = std::string("a\xff") + std::string("b\0c", 3);
    catalog.put_backup(broken);
    CHECK(catalog.backup(kSecond)->note ==
          "a\xef\xbf\xbd"
          "b\xef\xbf\xbd"
          "c");
  }
}

void check_filters(const OpenDatabase& open) {
  Catalog catalog(open());
  BackupRecord first = sample_backup(kFirst, 0);
  BackupRecord second = sample_backup(kSecond, 10);
  second.type = BackupType::tenant_backup;
  second.tenant = "42";
  second.size_bytes = 5000;
  second.duration_seconds = 1;
  second.database = "crm";
  second.copies = {first.copies[0]};
  BackupRecord third = sample_backup(kThird, 20);
  third.status = BackupStatus::deleted;
  third.copies[0].state = CopyState::deleted;
  for (const BackupRecord& backup : {first, second, third}) catalog.put_backup(backup);
  using Ids = std::vector<std::string>;
  const auto found = [&](const BackupFilter& filter) { return ids(catalog.backups(filter)); };
  BackupFilter filter;

  SECTION("newest first, without the deleted") {
    CHECK(found(filter) == Ids{kSecond, kFirst});
    filter.ascending = true;
    CHECK(found(filter) == Ids{kFirst, kSecond});
  }
  SECTION("deleted ones when asked for") {
    filter.include_deleted = true;
    CHECK(found(filter) == Ids{kThird, kSecond, kFirst});
    filter.include_deleted = false;
    filter.status = BackupStatus::deleted;
    CHECK(found(filter) == Ids{kThird});
  }
  SECTION("by type, status, database and tenant") {
    filter.type = BackupType::tenant_backup;
    CHECK(found(filter) == Ids{kSecond});
    filter.status = BackupStatus::failed;
    CHECK(found(filter).empty());
    filter = {};
    filter.database = "shop";
    CHECK(found(filter) == Ids{kFirst});
    filter.database = "x' OR '1'='1";
    CHECK(found(filter).empty());
    filter = {};
    filter.tenant = "42";
    CHECK(found(filter) == Ids{kSecond});
  }
  SECTION("since counts the moment itself, until does not") {
    filter.since = at(10);
    CHECK(found(filter) == Ids{kSecond});
    filter = {};
    filter.until = at(10);
    CHECK(found(filter) == Ids{kFirst});
  }
  SECTION("by storage: a copy there that is not deleted") {
    filter.storage = "r2";
    CHECK(found(filter) == Ids{kFirst});
    filter.storage = "local";
    filter.include_deleted = true;
    CHECK(found(filter) == Ids{kSecond, kFirst});
    CHECK(catalog.backups(filter).at(1).copies.size() == 2);
  }
  SECTION("sorted by size, duration or database, and limited") {
    filter.sort = BackupFilter::Sort::size;
    CHECK(found(filter) == Ids{kSecond, kFirst});
    filter.sort = BackupFilter::Sort::duration;
    CHECK(found(filter) == Ids{kFirst, kSecond});
    filter.sort = BackupFilter::Sort::database;
    filter.ascending = true;
    CHECK(found(filter) == Ids{kSecond, kFirst});
    filter.limit = 1;
    CHECK(found(filter) == Ids{kSecond});
    CHECK(catalog.backups(filter).at(0).copies.size() == 1);
    filter.limit = 0;
    CHECK(found(filter).empty());
  }
}

void check_find(const OpenDatabase& open) {
  Catalog catalog(open());
  for (const char* id : {kFirst, kSecond}) catalog.put_backup(sample_backup(id));
  BackupRecord deleted = sample_backup(kThird);
  deleted.status = BackupStatus::deleted;
  catalog.put_backup(deleted);
  const auto refusal = [&](std::string_view asked) {
    return error_of([&] { catalog.find_backup(asked); });
  };
  const std::string in = "' in catalog " + catalog.describe();

  SECTION("by UUID, in either case") {
    CHECK(catalog.find_backup(kFirst).copies.size() == 2);
    CHECK(catalog.find_backup("0D9C1F2E-0000-4000-8000-000000000001").id == kFirst);
  }
  SECTION("by the shortest beginning that names one") {
    BackupRecord other = sample_backup("abcd0000-0000-4000-8000-000000000004");
    catalog.put_backup(other);
    CHECK(catalog.find_backup("abcd").id == other.id);
    CHECK(catalog.find_backup("0d9c1f2e-0000-4000-8000-000000000002").id == kSecond);
    CHECK(refusal("abc") == "there is no backup 'abc" + in);
    CHECK(refusal("abce") == "there is no backup 'abce" + in);
  }
  SECTION("a beginning that names several is refused with their names") {
    const std::string message = refusal("0d9c1f2e");
    CHECK_THAT(message, Catch::StartsWith("'0d9c1f2e' can be 2 backups: "));
    CHECK_THAT(message, Catch::Contains(kFirst) && Catch::Contains(kSecond));
  }
  SECTION("by file name, with or without its directories") {
    const std::string name = sample_backup(kFirst).filename;
    CHECK(catalog.find_backup(name).id == kFirst);
    CHECK(catalog.find_backup("shop/full_database/" + name).id == kFirst);
    CHECK(refusal(name + ".x") == "there is no backup '" + name + ".x" + in);
  }
  SECTION("a deleted one by its whole UUID only") {
    CHECK(catalog.find_backup(kThird).id == kThird);
    CHECK(refusal("7a000000") == "there is no backup '7a000000" + in);
    CHECK(refusal(deleted.filename) == "there is no backup '" + deleted.filename + in);
  }
  SECTION("what is no name at all is not found") {
    for (const char* nonsense : {"", "%", "0d9c%", "____", "'; DROP TABLE backups; --"}) {
      INFO(nonsense);
      CHECK_FALSE(refusal(nonsense).empty());
    }
    CHECK(catalog.backup(kFirst));
  }
}

void check_history(const OpenDatabase& open) {
  Catalog catalog(open());
  SECTION("a restore comes back, every field, newest first") {
    RestoreRecord restore;
    restore.id = kFirst;
    restore.backup_id = kThird;
    restore.mode = "full";
    restore.source_storage = "r2,local";
    restore.target = "shop_restored";
    restore.reason = "drill";
    restore.actor = "ops";
    restore.host = "db1";
    restore.started_at = at(0);
    restore.outcome = "RUNNING";
    catalog.put_restore(restore);
    CHECK(text_of(catalog.restores(10).at(0)) == text_of(restore));
    restore.finished_at = at(5);
    restore.outcome = "DONE";
    restore.rows = 12;
    restore.bytes = 13;
    restore.duration_seconds = 300;
    restore.details = R"({"x":true})";
    catalog.put_restore(restore);
    CHECK(text_of(catalog.restores(10).at(0)) == text_of(restore));
    restore.id = kSecond;
    restore.started_at = at(1);
    catalog.put_restore(restore);
    CHECK(catalog.restores(10).size() == 2);
    CHECK(catalog.restores(1).at(0).id == kSecond);
  }
  SECTION("a run comes back, every field, newest first") {
    RunRecord run = sample_run(kFirst, 0);
    catalog.put_run(run);
    CHECK(text_of(catalog.runs(10).at(0)) == text_of(run));
    run.finished_at = at(1);
    run.exit_code = 0;
    run.message = "done";
    run.statistics = R"({"bytes":1})";
    catalog.put_run(run);
    catalog.put_run(sample_run(kSecond, 3));
    CHECK(catalog.runs(10).size() == 2);
    CHECK(catalog.runs(1).at(0).id == kSecond);
    CHECK(text_of(catalog.runs(2).at(1)) == text_of(run));
  }
}

void check_alerts(const OpenDatabase& open) {
  Catalog catalog(open());
  AlertRecord alert = sample_alert(kFirst, "dump:shop");
  CHECK(text_of(catalog.raise_alert(alert)) == text_of(alert));

  SECTION("the same thing again raises count, severity and time of the one alert") {
    AlertRecord again = sample_alert(kSecond, "dump:shop", 5);
    again.severity = AlertSeverity::critical;
    again.message = "it failed again";
    again.backup_id = kThird;
    const AlertRecord stored = catalog.raise_alert(again);
    AlertRecord expected = again;
    expected.id = kFirst;
    expected.count = 2;
    expected.first_at = alert.first_at;
    CHECK(text_of(stored) == text_of(expected));
    CHECK(catalog.alerts({}).size() == 1);
    CHECK(text_of(catalog.alerts(AlertState::open).at(0)) == text_of(expected));
    again.severity = AlertSeverity::info;
    CHECK(catalog.raise_alert(again).severity == AlertSeverity::critical);
  }
  SECTION("another key is another alert, newest first") {
    catalog.raise_alert(sample_alert(kSecond, "dump:crm", 5));
    CHECK(catalog.alerts({}).size() == 2);
    CHECK(catalog.alerts({}).at(0).id == kSecond);
  }
  SECTION("a resolved alert stays, and the same thing after that is a new one") {
    catalog.resolve_alert("dump:shop", at(7));
    catalog.resolve_alert("dump:shop", at(8));
    catalog.resolve_alert("nothing", at(8));
    CHECK(catalog.alerts(AlertState::open).empty());
    CHECK(catalog.alerts(AlertState::resolved).at(0).resolved_at == at(7));
    CHECK(catalog.raise_alert(sample_alert(kSecond, "dump:shop", 9)).count == 1);
    CHECK(catalog.alerts({}).size() == 2);
  }
  SECTION("an acknowledged alert stays acknowledged, counts on, and can be resolved") {
    open()->query("UPDATE alerts SET state = 'ACKNOWLEDGED'", {});
    const AlertRecord stored = catalog.raise_alert(sample_alert(kSecond, "dump:shop", 5));
    CHECK(stored.state == AlertState::acknowledged);
    CHECK(stored.count == 2);
    catalog.resolve_alert("dump:shop", at(7));
    CHECK(catalog.alerts(AlertState::resolved).size() == 1);
  }
}

void check_transactions(const OpenDatabase& open) {
  Catalog catalog(open());
  const auto fail = [] { throw Error(ErrorCode::partial, "on purpose"); };

  SECTION("all of the work or nothing") {
    CHECK(error_of([&] {
            catalog.transaction([&] {
              catalog.put_backup(sample_backup(kFirst));
              fail();
            });
          }) == "on purpose");
    CHECK_FALSE(catalog.backup(kFirst));
    catalog.transaction([&] { catalog.put_backup(sample_backup(kFirst)); });
    CHECK(Catalog(open()).backup(kFirst));
  }
  SECTION("an inner one is part of the outer one") {
    CHECK_THROWS_AS(catalog.transaction([&] {
      catalog.transaction([&] { catalog.put_backup(sample_backup(kFirst)); });
      fail();
    }),
                    Error);
    CHECK_FALSE(catalog.backup(kFirst));
  }
  SECTION("an inner one that failed undoes the outer one, even when that goes on") {
    CHECK_THROWS_AS(catalog.transaction([&] {
      catalog.put_backup(sample_backup(kFirst));
      CHECK_THROWS_AS(catalog.transaction(fail), Error);
    }),
                    Error);
    CHECK_FALSE(catalog.backup(kFirst));
    catalog.put_backup(sample_backup(kFirst));
    CHECK(catalog.backup(kFirst));
  }
}

void check_processes(const OpenDatabase& open) {
  { Catalog make(open()); }

  SECTION("what several processes write at once is all there") {
    constexpr int kProcesses = 4;
    constexpr int kEach = 25;
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i)
      children.push_back(start([&] {
        Catalog mine(open());
        for (int n = 0; n < kEach; ++n) {
          mine.put_backup(sample_backup(Uuid::random().text(), n));
          mine.raise_alert(sample_alert(Uuid::random().text(), "one"));
        }
      }));
    for (const pid_t child : children) CHECK(end_of(child) == 0);
    Catalog catalog(open());
    CHECK(catalog.backups({}).size() == kProcesses * kEach);
    CHECK(open()->query("SELECT 1 FROM copies", {}).size() == 2 * kProcesses * kEach);
    REQUIRE(catalog.alerts({}).size() == 1);
    CHECK(catalog.alerts({}).at(0).count == kProcesses * kEach);
  }
  SECTION("one that is killed in the middle of a change leaves nothing of it") {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = start([&] {
      Catalog mine(open());
      mine.put_backup(sample_backup(kFirst));
      mine.transaction([&] {
        for (int n = 0; n < 100; ++n) mine.put_backup(sample_backup(Uuid::random().text(), n));
        mine.remove_backup(kFirst);
        if (::write(ready[1], "x", 1) != 1) ::_exit(1);
        ::pause();
      });
    });
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK(ids(Catalog(open()).backups({})) == std::vector<std::string>{kFirst});
    ::kill(child, SIGKILL);
    CHECK(WIFSIGNALED(end_of(child)));
    Catalog catalog(open());
    CHECK(ids(catalog.backups({})) == std::vector<std::string>{kFirst});
    catalog.put_backup(sample_backup(kSecond));
    CHECK(catalog.backups({}).size() == 2);
    ::close(ready[0]);
    ::close(ready[1]);
  }
}

}  // namespace bkp::test
