// What a user sees when something is wrong: the program itself, against a server of its own.
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/fd.h"
#include "catalog/catalog.h"
#include "shell_words.h"
#include "stream/process.h"
#include "support/temporary_cluster.h"

using namespace bkp;
namespace fs = std::filesystem;

namespace {

struct Ended {
  int code = 0;
  std::string out, err;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// One configured cluster in a directory of its own. As root everything belongs to the server's
// user, whom bkp then becomes.
class Desk {
 public:
  Desk() : directory_("/tmp", "bkp-messages-") {
    fs::permissions(path(), fs::perms(0755));
    give(path());
    server_.psql("postgres", "CREATE DATABASE shop");
    server_.psql("shop",
                 "CREATE TABLE customers(id int PRIMARY KEY); "
                 "INSERT INTO customers SELECT generate_series(1, 100)");
    server_.psql("postgres", "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'right'");
    const fs::path rules = server_.data_directory() / "pg_hba.conf";
    const std::string before = read_file(rules);
    std::ofstream(rules) << "local all guarded scram-sha-256\n" << before;
    server_.psql("postgres", "SELECT pg_reload_conf()");
    REQUIRE(bkp("init --cluster shop --yes --local " + path() + "/store --conninfo '" +
                server_.conninfo("shop") + "'")
                .code == 0);
  }

  std::string path() const { return directory_.path().string(); }
  std::string conninfo(const std::string& database, const std::string& user) const {
    return server_.conninfo(database, user);
  }

  void psql(const std::string& statements) { server_.psql("postgres", statements); }

  Ended bkp(const std::string& line, const std::string& config = "bkp.toml") {
    std::vector<std::string> words = test::shell_words(line);
    ProcessOptions options;
    // init makes the first files: as the user that they are to belong to.
    if (::geteuid() == 0 && words.front() == "init")
      options.argv = {"runuser", "-u", "postgres", "--"};
    options.argv.insert(options.argv.end(), {BKP_PROGRAM, "-c", path() + "/" + config});
    options.argv.insert(options.argv.end(), words.begin(), words.end());
    options.environment = {{"LC_ALL", "C.UTF-8"}, {"TZ", "UTC"}, {"PGPASSWORD", "wrong"}};
    Process process(options);
    Ended ended;
    try {
      std::byte part[4096];
      for (std::size_t size; (size = process.read(part)) > 0;)
        ended.out += as_text(ByteView(part, size));
    } catch (const Error&) {
      // the status tells
    }
    ended.code = process.wait_status();
    ended.err = replaced(replaced(process.error_output(), path(), "DIR"),
                         server_.socket_directory().string(), "SOCKET");
    ended.err = replaced(ended.err, std::to_string(server_.port()), "PORT");
    return ended;
  }

  // The configuration with one text in the place of another.
  void edit(const std::string& from, const std::string& to) {
    const std::string file = path() + "/bkp.toml";
    const std::string before = read_file(file);
    REQUIRE(before.find(from) != std::string::npos);
    saved_ = before;
    write(file, replaced(before, from, to));
  }
  void undo() { write(path() + "/bkp.toml", saved_); }

 private:
  static void give(const std::string& file) {
    if (::geteuid() != 0) return;
    const passwd* owner = ::getpwnam("postgres");
    REQUIRE(owner != nullptr);
    REQUIRE(::chown(file.c_str(), owner->pw_uid, owner->pw_gid) == 0);
  }
  static void write(const std::string& file, const std::string& text) {
    write_file_atomically(file, text, 0600);
    give(file);
  }

  TemporaryDirectory directory_;
  TemporaryCluster server_;
  std::string saved_;
};

void check(const Ended& ended, int code, const std::string& message) {
  CHECK(ended.err == message);
  CHECK(ended.code == code);
  CHECK(ended.out.empty());
  CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') <= 12);
}

}  // namespace

TEST_CASE("what is wrong is told in one screen, with what to type, and the right status") {
  Desk desk;
  const std::string config = desk.path() + "/bkp.toml";

  SECTION("no configuration") {
    check(desk.bkp("list", "none.toml"), 2,
          "bkp: error: cannot read the configuration: cannot open 'DIR/none.toml': No such file or "
          "directory\nhint: make one with 'bkp init', or name another with --config or "
          "BKP_CONFIG\n");
  }
  SECTION("an unknown key, with the nearest") {
    desk.edit("[dump]", "[dump]\nexclude_tabels = []");
    const Ended ended = desk.bkp("list");
    CHECK(ended.err.find("unknown key 'exclude_tabels' in [dump]\nhint: did you mean "
                         "'exclude_tables'?\n") != std::string::npos);
    CHECK(ended.err.starts_with("bkp: error: DIR/bkp.toml:"));
    CHECK(ended.code == 2);
  }
  SECTION("an unknown command and an unknown option, with the nearest") {
    check(desk.bkp("dmp"), 2, "bkp: error: unknown command 'dmp'\nhint: did you mean 'dump'?\n");
    check(desk.bkp("dump --nota x"), 2,
          "bkp: error: 'bkp dump' has no option '--nota'\nhint: did you mean '--note'?\n");
  }
  SECTION("a wrong password") {
    desk.edit("user=postgres", "user=guarded");
    const Ended ended = desk.bkp("dump");
    CHECK(ended.err.find("password authentication failed for user \"guarded\"") !=
          std::string::npos);
    CHECK(ended.err.find("\nhint: ") != std::string::npos);
    CHECK(ended.code == 1);
  }
  SECTION("no such database") {
    const Ended ended = desk.bkp("dump --db nosuch");
    CHECK(ended.err.starts_with("bkp: error: backup of 'nosuch': cannot connect to "));
    CHECK(ended.err.find("database \"nosuch\" does not exist\nhint: ") != std::string::npos);
    CHECK(ended.code == 1);
  }
  SECTION("no such backup") {
    check(
        desk.bkp("show 1234abcd"), 2,
        "bkp: error: there is no backup '1234abcd' in catalog 'DIR/catalog.db'\nhint: write an ID "
        "or the first 4 or more of its characters, or a file name, as 'bkp list' shows them\n");
  }
  SECTION("a database without a name") {
    check(desk.bkp("dump --db ''"), 2,
          "bkp: error: '' cannot be a database's name\nhint: a variable without a value? no '--db' "
          "at all means the conninfo's database\n");
  }
  SECTION("an argument in another encoding") {
    check(desk.bkp("dump --note caf\xe9"), 2,
          "bkp: error: argument 'caf\xef\xbf\xbd' is not UTF-8\nhint: write it in UTF-8: records "
          "and names are kept in no other encoding\n");
    CHECK(desk.bkp("list").out.empty());
  }
  SECTION("a restoring role that may create databases, but not give them to their owners") {
    desk.psql("CREATE ROLE maker LOGIN CREATEDB; CREATE DATABASE own OWNER maker");
    REQUIRE(desk.bkp("dump --db shop --db own").code == 0);
    desk.edit("[restore]", "[restore]\nconninfo = \"" + desk.conninfo("postgres", "maker") + "\"");
    const Ended ended = desk.bkp("restore latest --db shop --into copy");
    CHECK(ended.err.find("bkp: error: role 'maker' can give nothing to roles that own parts of the "
                         "backup: postgres\nhint: name a superuser") != std::string::npos);
    CHECK(ended.code == 1);
    CHECK(desk.bkp("restore latest --db own --into copy").code == 0);
  }
  SECTION("globals, and a database or none") {
    check(desk.bkp("restore latest --globals-only --into x"), 2,
          "bkp: error: '--globals-only' restores no database, so it takes no '--into'\n"
          "hint: with a database it is '--globals'\n");
    check(desk.bkp("restore latest --into x --globals --dry-run"), 2,
          "bkp: error: '--globals' and '--dry-run' exclude each other\n"
          "hint: '--globals-only --dry-run' shows what '--globals' would make\n");
  }
  SECTION("a doctor without a configuration to look at") {
    desk.edit("[dump]", "[dump]\nexclude_tabels = []");
    const Ended ended = desk.bkp("doctor");
    CHECK(ended.out.find("FAIL  configuration: ") == 0);
    CHECK(ended.code == 2);
  }
  SECTION("'latest' of two databases") {
    REQUIRE(desk.bkp("dump --db shop --db postgres").code == 0);
    const Ended ended = desk.bkp("restore latest --into x");
    CHECK(ended.err.find("postgres, shop\nhint: ") != std::string::npos);
    CHECK(ended.code == 2);
  }
  SECTION("an ID that several backups begin with") {
    {
      Catalog catalog(open_sql_database("sqlite:" + desk.path() + "/catalog.db"));
      for (const char* id :
           {"abcd1111-0000-4000-8000-000000000001", "abcd2222-0000-4000-8000-000000000002"}) {
        BackupRecord backup;
        backup.id = id;
        backup.cluster = "shop";
        backup.status = BackupStatus::completed;
        catalog.put_backup(backup);
      }
    }
    const Ended ended = desk.bkp("show abcd");
    CHECK(ended.err.find("abcd1111") != std::string::npos);
    CHECK(ended.err.find("abcd2222") != std::string::npos);
    CHECK(ended.err.find("\nhint: ") != std::string::npos);
    CHECK(ended.code == 2);
  }
  SECTION("a time without a zone") {
    check(desk.bkp("list --since '2026-11-20 02:00'"), 2,
          "bkp: error: '--since': time '2026-11-20 02:00' does not say its zone\n"
          "hint: write 2026-11-20T02:00:00Z (UTC)\n");
  }
  SECTION("a storage that is not mounted") {
    REQUIRE(desk.bkp("dump").code == 0);
    fs::rename(desk.path() + "/store", desk.path() + "/away");
    const Ended dumped = desk.bkp("dump");
    CHECK(dumped.err.find("there is no directory 'DIR/store'\nhint: is the disk mounted?") !=
          std::string::npos);
    CHECK(dumped.code == 2);
    check(desk.bkp("init --yes"), 2,
          "bkp: error: storage 'local' at 'DIR/store' has no 'shop/cluster.json', but the catalog "
          "knows backups in it: is the disk mounted?\n"
          "hint: mount it; for a new, empty place give the storage a new name\n");
    CHECK_FALSE(fs::exists(desk.path() + "/store"));
  }
  SECTION("a key file that others can read") {
    fs::permissions(desk.path() + "/keys.toml", fs::perms(0644));
    check(desk.bkp("dump"), 2,
          "bkp: error: others can use key file 'DIR/keys.toml' (mode 0644)\n"
          "hint: chmod 600 'DIR/keys.toml'\n");
  }
  SECTION("a backup for a database that is there already") {
    REQUIRE(desk.bkp("dump").code == 0);
    const Ended ended = desk.bkp("-q restore latest --into postgres");
    check(ended, 2,
          "bkp: error: database 'postgres' exists already\n"
          "hint: choose another name for --into, or put the backup in its place with --swap\n");
  }
  SECTION("a merge without consent, into a database that is not there, of what is no merge") {
    REQUIRE(desk.bkp("dump").code == 0);
    check(desk.bkp("-q restore latest --into shop --mode merge"), 2,
          "bkp: error: '--mode merge' changes a database and wants '--yes' here\n"
          "hint: with --dry-run it says what it would do\n");
    check(desk.bkp("-q restore latest --into absent --mode merge --yes"), 2,
          "bkp: error: there is no database 'absent'\n"
          "hint: a merge needs one that is there; without --mode merge a restore makes one\n");
    check(desk.bkp("restore latest --into shop2 --on-conflict keep"), 2,
          "bkp: error: '--on-conflict' says something only with --mode merge\n");
    check(desk.bkp("restore latest --into shop --mode merge --swap"), 2,
          "bkp: error: '--swap' and '--mode merge' are two ways to restore\n");
    check(desk.bkp("restore latest --mode merge"), 2,
          "bkp: error: 'bkp restore' needs --into\n"
          "hint: name the database that rows are to come back into\n");
  }
  SECTION("test restores: of what there is, one way at a time") {
    check(desk.bkp("verify --restore"), 2,
          "bkp: error: there is no backup of a database\n"
          "hint: 'bkp list' shows what there is, 'bkp dump' makes one\n");
    check(desk.bkp("verify --restore --db absent"), 2,
          "bkp: error: there is no backup of database 'absent'\n"
          "hint: 'bkp list' shows what there is, 'bkp dump' makes one\n");
    check(desk.bkp("verify --random"), 2,
          "bkp: error: '--random' says nothing without '--restore'\n");
    check(desk.bkp("verify --restore --deep"), 2,
          "bkp: error: '--deep' says nothing with '--restore'\n");
    check(desk.bkp("verify --restore --newest --random"), 2,
          "bkp: error: '--newest' and '--random' exclude each other\n");
    check(desk.bkp("verify --restore 1234abcd --random"), 2,
          "bkp: error: an ID goes with neither '--newest' nor '--random'\n");
    check(desk.bkp("verify --restore --html " + desk.path() + "/none/x.html"), 1,
          "bkp: error: cannot write 'DIR/none/x.html': No such file or directory\n");
    REQUIRE(desk.bkp("dump").code == 0);
    const Ended jobs = desk.bkp("-q verify --restore --jobs 65");
    CHECK(jobs.code == 2);
    CHECK(jobs.err.find("65 jobs are more than the 64 that a restore may use") !=
          std::string::npos);
    CHECK(desk.bkp("-q verify --restore --jobs 1").code == 0);
  }
  SECTION("with --json a failure is one document on standard output, and nothing else") {
    const Ended ended = desk.bkp("--json show 1234abcd");
    CHECK(ended.err.empty());
    CHECK(ended.out.starts_with("{\n  \"error\": {\n    \"code\": 2,\n    \"message\": "));
    CHECK(ended.code == 2);
  }
}

TEST_CASE("a dump comes back as a database, and a new host finds it with the key file alone") {
  Desk desk;
  CHECK(desk.bkp("doctor").code == 0);
  const Ended dumped = desk.bkp("dump --note first --actor alice");
  CHECK(dumped.code == 0);
  CHECK(dumped.err.empty());
  CHECK(desk.bkp("--json list").out.find("\"created_by\": \"alice\"") != std::string::npos);
  CHECK(desk.bkp("verify latest --deep").code == 0);
  CHECK(desk.bkp("restore latest --into shop2 --reason test").code == 0);

  // The catalog is lost with the host; configuration, key file and storage are not.
  for (const char* file : {"catalog.db", "catalog.db-wal", "catalog.db-shm"})
    fs::remove(desk.path() + "/" + file);
  const Ended begun = desk.bkp("init --yes");
  CHECK(begun.code == 0);
  CHECK(begun.out.find("1 found in the storages") != std::string::npos);
  CHECK(desk.bkp("restore latest --into shop3").code == 0);

  // Without the key file the storage is not taken over.
  fs::remove(desk.path() + "/catalog.db");
  fs::rename(desk.path() + "/keys.toml", desk.path() + "/keys.away");
  const Ended refused = desk.bkp("init --yes");
  CHECK(refused.code == 2);
  CHECK(refused.err.find("its key file is not at") != std::string::npos);
  CHECK_FALSE(fs::exists(desk.path() + "/keys.toml"));
}

TEST_CASE("a run that changes something is on record, and its failure is an alert until it works") {
  Desk desk;
  const auto catalog = [&desk] {
    return Catalog(open_sql_database("sqlite:" + desk.path() + "/catalog.db"));
  };
  desk.edit("dbname=shop", "dbname=gone");
  CHECK(desk.bkp("dump --note 'the first'").code == 1);
  {
    const Catalog failed = catalog();
    const std::vector<RunRecord> runs = failed.runs(10);
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].command == "dump");
    CHECK(runs[0].arguments.ends_with("dump --note 'the first'"));
    CHECK(runs[0].exit_code == 1);
    CHECK(runs[0].message.find("\"gone\" does not exist") != std::string::npos);
    CHECK(runs[0].finished_at);
    const std::vector<AlertRecord> alerts = failed.alerts(AlertState::open);
    REQUIRE(alerts.size() == 1);
    CHECK(alerts[0].type == "BACKUP_FAILURE");
    CHECK(alerts[0].run_id == runs[0].id);
  }
  desk.undo();
  CHECK(desk.bkp("dump").code == 0);
  CHECK(desk.bkp("list").code == 0);
  const Catalog good = catalog();
  CHECK(good.runs(10).size() == 2);  // list changes nothing
  CHECK(good.alerts(AlertState::open).empty());
}

TEST_CASE("one dump runs at a time, and another one can wait for it") {
  Desk desk;
  Fd lock(::open((desk.path() + "/shop-dump.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  REQUIRE(::fchmod(lock.get(), 0666) == 0);
  REQUIRE(::flock(lock.get(), LOCK_EX | LOCK_NB) == 0);
  const Ended refused = desk.bkp("dump");
  CHECK(refused.err.starts_with("bkp: error: another run holds the lock 'shop-dump'"));
  CHECK(refused.code == 5);
  lock.close();
  CHECK(desk.bkp("dump --wait 10s").code == 0);
}
