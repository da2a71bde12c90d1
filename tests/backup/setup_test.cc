#include "backup/setup.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "catalog/catalog.h"
#include "crypto/key.h"
#include "repo/cluster_file.h"

using namespace bkp;
namespace fs = std::filesystem;

namespace {

class FixedClock final : public Clock {
 public:
  TimePoint now() const override { return parse_rfc3339("2026-11-20T02:00:00Z"); }
};

class Place {
 public:
  Place() : directory_("/tmp", "bkp-setup-") {
    config.cluster = "shop";
    config.key_file = path() / "etc" / "keys.toml";
    config.catalog_url = "sqlite:" + (path() / "state" / "catalog.db").string();
    add("local");
  }
  fs::path path() const { return directory_.path(); }
  void add(const std::string& name) {
    StorageConfig storage;
    storage.name = name;
    storage.path = path() / name;
    config.storages.push_back(storage);
  }
  SetupResult run(Identity identity = Identity::existing) {
    return set_up(config, clock_, "42", "db1", identity);
  }
  fs::path mark(const std::string& storage) const {
    return path() / storage / "shop" / "cluster.json";
  }
  unsigned mode(const fs::path& file) const {
    return static_cast<unsigned>(fs::status(file).permissions());
  }
  std::string refusal() {
    try {
      run();
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK_FALSE(error.hint().empty());
      return error.message();
    }
    return "accepted";
  }

  Config config;

 private:
  TemporaryDirectory directory_;
  FixedClock clock_;
};

std::vector<SetupStep::Outcome> outcomes(const SetupResult& result) {
  std::vector<SetupStep::Outcome> all;
  for (const SetupStep& step : result.steps) all.push_back(step.outcome);
  return all;
}

constexpr auto kMade = SetupStep::Outcome::made;
constexpr auto kKept = SetupStep::Outcome::kept;

}  // namespace

TEST_CASE("a first setup makes key, catalog, directory and mark, closed to others") {
  Place place;
  const SetupResult result = place.run();
  CHECK(outcomes(result) == std::vector{kMade, kMade, kMade});
  CHECK_FALSE(result.found_backups);
  CHECK(place.mode(place.config.key_file) == 0600);
  CHECK(place.mode(place.path() / "local") == 0700);
  CHECK(load_key_file(place.config.key_file).keys().size() == 1);
  const ClusterFile file = decode_cluster_file(read_file(place.mark("local")));
  CHECK(file.name == "shop");
  CHECK(file.uuid == result.cluster);
  CHECK(file.system_identifiers == std::vector<std::string>{"42"});
  CHECK(file.hosts == std::vector<std::string>{"db1"});
}

TEST_CASE("running setup again keeps everything, and marks a storage that was added") {
  Place place;
  const Uuid cluster = place.run().cluster;
  const std::string key = read_file(place.config.key_file);
  const std::string mark = read_file(place.mark("local"));
  CHECK(outcomes(place.run()) == std::vector{kKept, kKept, kKept});
  place.add("second");
  const SetupResult again = place.run();
  CHECK(outcomes(again) == std::vector{kKept, kKept, kKept, kMade});
  CHECK(again.cluster == cluster);
  CHECK(read_file(place.config.key_file) == key);
  CHECK(read_file(place.mark("local")) == mark);
  CHECK(read_file(place.mark("second")) == mark);
}

TEST_CASE("storages that hold different clusters of one name are refused") {
  Place place;
  place.run();
  Place other;
  other.run();
  fs::copy(other.path() / "local", place.path() / "foreign", fs::copy_options::recursive);
  place.add("foreign");
  CHECK(place.refusal().find("'local' and 'foreign' hold different clusters named 'shop'") !=
        std::string::npos);
}

TEST_CASE("a storage with this name's backups is refused without its key file, unchanged") {
  Place place;
  place.run();
  fs::remove(place.config.key_file);
  CHECK(place.refusal().find("its key file is not at") != std::string::npos);
  CHECK_FALSE(fs::exists(place.config.key_file));
}

TEST_CASE("a directory without its mark is refused while the catalog knows copies in it") {
  Place place;
  place.run();
  {
    Catalog catalog(open_sql_database(place.config.catalog_url));
    BackupRecord backup;
    backup.id = Uuid::random().text();
    backup.cluster = "shop";
    CopyRecord copy;
    copy.storage = "local";
    copy.state = CopyState::good;
    backup.copies.push_back(copy);
    catalog.put_backup(backup);
  }
  fs::remove_all(place.path() / "local");
  CHECK(place.refusal().find("is the disk mounted?") != std::string::npos);
  CHECK_FALSE(fs::exists(place.path() / "local"));
  fs::create_directory(place.path() / "local");
  CHECK(place.refusal().find("is the disk mounted?") != std::string::npos);
  CHECK(fs::is_empty(place.path() / "local"));
}

TEST_CASE("a storage that was configured before it was set up is marked") {
  Place place;
  place.run();
  {
    Catalog catalog(open_sql_database(place.config.catalog_url));
    BackupRecord backup;
    backup.id = Uuid::random().text();
    backup.cluster = "shop";
    CopyRecord copy;
    copy.storage = "second";
    copy.state = CopyState::failed;
    backup.copies.push_back(copy);
    catalog.put_backup(backup);
  }
  place.add("second");
  CHECK(place.run().steps.back().outcome == kMade);
}

TEST_CASE("on a new host the mark is kept, and backups are told to be there") {
  Place place;
  const Uuid cluster = place.run().cluster;
  fs::remove_all(place.path() / "state");
  const SetupResult result = place.run();
  CHECK(result.found_backups);
  CHECK(result.cluster == cluster);
}

TEST_CASE("no identity is invented while a storage that may know it does not answer") {
  Place place;
  place.add("blocked");
  write_file_atomically(place.path() / "blocked", "a file, not a directory");
  CHECK(place.refusal().find("storage 'blocked' did not answer") != std::string::npos);
  CHECK_FALSE(fs::exists(place.path() / "local"));
  CHECK_FALSE(fs::exists(place.config.key_file));
}

TEST_CASE("a storage that cannot be had is a failed step, and the others are made") {
  Place place;
  place.add("blocked");
  write_file_atomically(place.path() / "blocked", "a file, not a directory");
  const SetupResult result = place.run(Identity::may_be_new);
  CHECK(result.steps[2].outcome == kMade);
  CHECK(result.steps[3].outcome == SetupStep::Outcome::failed);
  CHECK_FALSE(result.steps[3].problem.empty());
}

TEST_CASE("a mark that is no cluster.json is refused") {
  Place place;
  place.run();
  write_file_atomically(place.mark("local"), "{}");
  CHECK_THROWS_AS(place.run(), Error);
}
