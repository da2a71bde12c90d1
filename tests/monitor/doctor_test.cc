#include "monitor/doctor.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "backup/setup.h"
#include "base/fd.h"

using namespace bkp;
namespace fs = std::filesystem;

namespace {

class Place {
 public:
  Place() : directory_("/tmp", "bkp-doctor-") {
    config.cluster = "shop";
    config.key_file = path() / "keys.toml";
    config.catalog_url = "sqlite:" + (path() / "catalog.db").string();
    config.spool_dir = path();
    config.conninfo = "host=" + path().string() + " dbname=shop";  // nobody listens there
    StorageConfig storage;
    storage.name = "local";
    storage.path = path() / "store";
    config.storages = {storage};
    set_up(config, clock, "", "db1");
  }
  fs::path path() const { return directory_.path(); }

  Config config;
  SystemClock clock;

 private:
  TemporaryDirectory directory_;
};

bool well(const Findings& findings) {
  return !findings.empty() && std::all_of(findings.begin(), findings.end(), [](const Finding& f) {
    return f.level == FindingLevel::ok;
  });
}

// The one failed finding.
Finding failed(const Findings& findings) {
  std::vector<Finding> bad;
  for (const Finding& finding : findings)
    if (finding.level == FindingLevel::fail) bad.push_back(finding);
  REQUIRE(bad.size() == 1);
  return bad.front();
}

}  // namespace

TEST_CASE("after a setup, keys, catalog, storages and spool are well, and nothing is left behind") {
  Place place;
  CHECK(well(check_keys(place.config, SystemClock())));
  CHECK(well(check_catalog(place.config)));
  CHECK(well(check_storages(place.config, place.clock)));
  CHECK(well(check_spool(place.config)));
  std::vector<std::string> left;
  for (const auto& entry : fs::recursive_directory_iterator(place.path() / "store" / "shop"))
    if (entry.is_regular_file()) left.push_back(entry.path().filename());
  CHECK(left == std::vector<std::string>{"cluster.json"});
}

TEST_CASE("each thing that is wrong is one failed finding with its cure") {
  Place place;
  SECTION("a key file that others can read") {
    fs::permissions(place.config.key_file, fs::perms(0644));
    CHECK(failed(check_keys(place.config, SystemClock())).cure.find("chmod 600") !=
          std::string::npos);
  }
  SECTION("no key file") {
    fs::remove(place.config.key_file);
    CHECK(failed(check_keys(place.config, SystemClock())).subject == "key file");
  }
  SECTION("no catalog") {
    fs::remove(place.path() / "catalog.db");
    CHECK(failed(check_catalog(place.config)).cure.find("bkp init") != std::string::npos);
    CHECK_FALSE(fs::exists(place.path() / "catalog.db"));
  }
  SECTION("a catalog that is no database") {
    write_file_atomically(place.path() / "catalog.db", std::string(8192, 'x'));
    CHECK(failed(check_catalog(place.config)).subject == "catalog");
  }
  SECTION("a storage whose mark is gone") {
    fs::remove_all(place.path() / "store" / "shop");
    const Finding finding = failed(check_storages(place.config, place.clock));
    CHECK(finding.message.find("is the disk mounted?") != std::string::npos);
    CHECK_FALSE(finding.cure.empty());
  }
  SECTION("a storage whose directory is gone") {
    fs::remove_all(place.path() / "store");
    const Finding finding = failed(check_storages(place.config, place.clock));
    CHECK(finding.subject == "storage 'local'");
    CHECK(finding.message.find("storage 'local'") == std::string::npos);
    CHECK_FALSE(finding.cure.empty());
  }
  SECTION("no server") {
    CHECK_FALSE(failed(check_server(place.config)).cure.empty());
    CHECK(failed(check_restore_role(place.config, place.clock)).subject == "restore role");
  }
  SECTION("no spool directory") {
    place.config.spool_dir = place.path() / "nowhere";
    CHECK(failed(check_spool(place.config)).cure.find("spool_dir") != std::string::npos);
  }
}
