#include "config/config.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"

using namespace bkp;
using namespace std::chrono_literals;

namespace {

constexpr const char* kSmallest = R"(
[cluster]
name = "shop"
[postgres]
conninfo = "dbname=shop"
[encryption]
key_file = "/etc/bkp/keys.toml"
[[storage]]
name = "local"
type = "local"
path = "/var/backups"
)";

// A directory with a configuration and its secrets.
class Place {
 public:
  std::filesystem::path write(const char* name, const std::string& content, unsigned mode = 0600) {
    const auto path = directory_.path() / name;
    write_file_atomically(path, content, mode);
    return path;
  }
  std::string path(const char* name) const { return (directory_.path() / name).string(); }
  Config load(const std::string& content, Secrets secrets = Secrets::required) {
    return load_config(write("bkp.toml", content), secrets);
  }

 private:
  TemporaryDirectory directory_{std::filesystem::temp_directory_path(), "bkp-config-"};
};

std::string s3(const std::string& more) {
  return std::string(kSmallest) + "[[storage]]\nname = \"cloud\"\ntype = \"s3\"\nbucket = \"b\"\n" +
         more;
}

// Sets a variable for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("a restore spools to $TMPDIR, else to /var/tmp, unless spool_dir says where") {
  Place place;
  const Variable nothing("TMPDIR", "");
  CHECK(place.load(kSmallest).spool_dir == "/var/tmp");
  const Variable relative("TMPDIR", "here");
  CHECK(place.load(kSmallest).spool_dir == "/var/tmp");
  const Variable set("TMPDIR", "/mnt/tmp");
  CHECK(place.load(kSmallest).spool_dir == "/mnt/tmp");
  CHECK(place.load(std::string(kSmallest) + "[restore]\nspool_dir = \"/spool\"\n").spool_dir ==
        "/spool");
}

TEST_CASE("the smallest configuration names cluster, server, key and one storage") {
  Place place;
  const Config config = place.load(kSmallest);
  CHECK(config.file == place.path("bkp.toml"));
  CHECK(config.cluster == "shop");
  CHECK(config.conninfo == "dbname=shop");
  CHECK(config.data_dir.empty());
  CHECK(config.bin_dir.empty());
  CHECK(config.catalog_url == "sqlite:/var/lib/bkp/catalog.db");
  CHECK(config.state_dir == "/var/lib/bkp");
  CHECK(config.key_file == "/etc/bkp/keys.toml");
  CHECK(config.cipher == "aes-256-gcm");
  CHECK(to_string(config.compress_dump) == "gzip:9");
  CHECK(to_string(config.compress_wal) == "zstd:1");
  CHECK(config.exclude_tables.empty());
  CHECK(config.digests);
  CHECK(config.lock_wait == 60s);
  CHECK(config.copies_minimum == 1);
  CHECK(config.verify_after == VerifyAfter::read);
  CHECK(config.read_order == std::vector<std::string>{"local"});
  CHECK(config.restore_jobs == 4);
  CHECK(config.restore_conninfo.empty());
  REQUIRE(config.storages.size() == 1);
  CHECK(config.storages[0].name == "local");
  CHECK(config.storages[0].type == StorageType::local);
  CHECK(config.storages[0].path == "/var/backups");
  CHECK_FALSE(config.storages[0].capacity);
  CHECK_FALSE(config.storages[0].verify_after);
}

TEST_CASE("every key of the configuration is read") {
  Place place;
  place.write("access", "AKIA\n");
  const Variable variable("BKP_TEST_SECRET", "from the environment");
  const Config config = place.load("state_dir = \"/run/bkp/\"\n" + std::string(R"(
[cluster]
name = "Shop_1"
[postgres]
conninfo = "postgresql://bkp@localhost/shop"
data_dir = "/var/lib/postgresql/15/main"
bin_dir = "/usr/lib/postgresql/15/bin"
[catalog]
url = "sqlite:/srv/bkp/c.db"
[encryption]
key_file = "/k"
cipher = "aes-256-cbc-hmac-sha256"
[compression]
dump = "zstd:3"
tenant = "gzip:1"
configuration = "none"
base = "zstd:19"
wal = "gzip"
[dump]
exclude_schemas = ["audit"]
exclude_tables = ["public.log*"]
exclude_table_data = ["a", "b"]
digests = false
lock_wait = "5m"
[copies]
minimum = 2
[verify]
after = "stat"
[restore]
read_order = ["cloud", "disk"]
jobs = 8
conninfo = "user=postgres"
spool_dir = "/spool"
[[storage]]
name = "disk"
type = "local"
path = "/backups/../backups/shop/"
capacity = "500GiB"
verify_after = "none"
[[storage]]
name = "cloud"
type = "s3"
endpoint = "https://s3.example.net:9000/"
region = "here"
bucket = "shop.backups"
prefix = "/a/b/"
ca_file = "/etc/ssl/own.pem"
access_key_file = ")") + place.path("access") +
                                   R"("
secret_key_env = "BKP_TEST_SECRET"
)");
  CHECK(config.cluster == "Shop_1");
  CHECK(config.conninfo == "postgresql://bkp@localhost/shop");
  CHECK(config.data_dir == "/var/lib/postgresql/15/main");
  CHECK(config.bin_dir == "/usr/lib/postgresql/15/bin");
  CHECK(config.catalog_url == "sqlite:/srv/bkp/c.db");
  CHECK(config.state_dir == "/run/bkp");
  CHECK(config.key_file == "/k");
  CHECK(config.cipher == "aes-256-cbc-hmac-sha256");
  CHECK(to_string(config.compress_dump) == "zstd:3");
  CHECK(to_string(config.compress_tenant) == "gzip:1");
  CHECK(to_string(config.compress_configuration) == "none");
  CHECK(to_string(config.compress_base) == "zstd:19");
  CHECK(to_string(config.compress_wal) == "gzip:6");
  CHECK(config.exclude_schemas == std::vector<std::string>{"audit"});
  CHECK(config.exclude_tables == std::vector<std::string>{"public.log*"});
  CHECK(config.exclude_table_data == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(config.digests);
  CHECK(config.lock_wait == 5min);
  CHECK(config.copies_minimum == 2);
  CHECK(config.verify_after == VerifyAfter::stat);
  CHECK(config.read_order == std::vector<std::string>{"cloud", "disk"});
  CHECK(config.restore_jobs == 8);
  CHECK(config.restore_conninfo == "user=postgres");
  CHECK(config.spool_dir == "/spool");
  const StorageConfig& disk = config.storage("disk");
  CHECK(disk.path == "/backups/shop");
  CHECK(disk.capacity == 536870912000U);
  CHECK(disk.verify_after == VerifyAfter::none);
  const StorageConfig& cloud = config.storage("cloud");
  CHECK(cloud.type == StorageType::s3);
  CHECK(cloud.provider.empty());
  CHECK(cloud.endpoint == "https://s3.example.net:9000");
  CHECK(cloud.region == "here");
  CHECK(cloud.bucket == "shop.backups");
  CHECK(cloud.prefix == "a/b");
  CHECK(cloud.ca_file == "/etc/ssl/own.pem");
  CHECK(cloud.access_key.reveal_text() == "AKIA");
  CHECK(cloud.secret_key.reveal_text() == "from the environment");
  CHECK_THROWS_WITH(config.storage("tape"), "there is no storage 'tape'");
}

TEST_CASE("a provider's endpoint and region follow from what the store gave out") {
  Place place;
  place.write("s.env", "ID=0123abcd\nKEY=k\nSECRET=s\n");
  const std::string keys = "access_key_env = \"KEY\"\nsecret_key_env = \"SECRET\"\n";
  const auto cloud = [&](const std::string& more) {
    return place.load("env_file = \"" + place.path("s.env") + "\"\n" + s3(keys + more))
        .storage("cloud");
  };
  const StorageConfig r2 = cloud("provider = \"r2\"\naccount_id_env = \"ID\"\n");
  CHECK(r2.endpoint == "https://0123abcd.r2.cloudflarestorage.com");
  CHECK(r2.region == "auto");
  CHECK(cloud("provider = \"r2\"\nendpoint = \"http://127.0.0.1:1\"\n").endpoint ==
        "http://127.0.0.1:1");
  const StorageConfig b2 = cloud("provider = \"b2\"\nregion = \"us-east-005\"\n");
  CHECK(b2.endpoint == "https://s3.us-east-005.backblazeb2.com");
  CHECK(b2.region == "us-east-005");
  CHECK(cloud("provider = \"aws\"\nregion = \"eu-central-1\"\n").endpoint ==
        "https://s3.eu-central-1.amazonaws.com");
  const StorageConfig other = cloud("endpoint = \"http://[::1]:7480\"\n");
  CHECK(other.endpoint == "http://[::1]:7480");
  CHECK(other.region == "us-east-1");
}

TEST_CASE("a secret comes from the environment before env_file, or from a file or a command") {
  Place place;
  place.write("s.env", "KEY='file'\nBKP_TEST_KEY=file\n");
  place.write("secret", "one\ntwo\n");
  const Variable variable("BKP_TEST_KEY", "environment");
  const auto cloud = [&](const std::string& keys) {
    return place
        .load("env_file = \"" + place.path("s.env") + "\"\n" +
              s3("endpoint = \"http://h\"\n" + keys))
        .storage("cloud");
  };
  const StorageConfig first =
      cloud("access_key_env = \"KEY\"\nsecret_key_env = \"BKP_TEST_KEY\"\n");
  CHECK(first.access_key.reveal_text() == "file");
  CHECK(first.secret_key.reveal_text() == "environment");
  const StorageConfig second =
      cloud("access_key_file = \"" + place.path("secret") +
            "\"\nsecret_key_command = [\"printf\", \"%s\\n\", \"a b; $HOME\"]\n");
  CHECK(second.access_key.reveal_text() == "one\ntwo");
  CHECK(second.secret_key.reveal_text() == "a b; $HOME");
}

TEST_CASE("commands that ask no storage load without the secrets, and run no command for them") {
  Place place;
  const std::string ran = place.path("ran");
  const Config config = place.load("env_file = \"/nonexistent/s.env\"\n" +
                                       s3("provider = \"r2\"\naccount_id_env = "
                                          "\"BKP_NONE\"\naccess_key_file = \"/nonexistent\"\n"
                                          "secret_key_command = [\"touch\", \"" +
                                          ran + "\"]\n"),
                                   Secrets::optional);
  CHECK(config.storage("cloud").access_key.empty());
  CHECK(config.storage("cloud").secret_key.empty());
  CHECK(config.storage("cloud").endpoint.empty());
  CHECK_FALSE(std::filesystem::exists(ran));
}

TEST_CASE("what is kept how long: by type of storage, unless it says its own") {
  const std::string text =
      "[cluster]\nname = \"shop\"\n[postgres]\nconninfo = \"dbname=shop\"\n"
      "[encryption]\nkey_file = \"/k\"\n"
      "[[storage]]\nname = \"local\"\ntype = \"local\"\npath = \"/b\"\n"
      "keep = { dump = \"14d\", tenant = \"forever\" }\nkeep_last = { dump = 7 }\n"
      "[[storage]]\nname = \"r2\"\ntype = \"s3\"\nbucket = \"b\"\nendpoint = \"https://h\"\n"
      "[cleanup]\nkeep_deleted = \"30d\"\n";
  const Config config = parse_config(text, "/x.toml", 0600, Secrets::optional);
  using std::chrono::days;
  const StorageKeep& local = config.storage("local").keep;
  CHECK(local.dump == KeepConfig{days(14), 7});
  CHECK(local.tenant == KeepConfig{std::nullopt, 0});
  CHECK(local.configuration == KeepConfig{days(30), 0});
  CHECK(local.base == KeepConfig{days(8), 0});
  CHECK(local.wal == KeepConfig{days(7), 0});
  const StorageKeep& cloud = config.storage("r2").keep;
  CHECK(cloud.dump == KeepConfig{days(365), 0});
  CHECK(cloud.base == KeepConfig{days(31), 0});
  CHECK(cloud.wal == KeepConfig{days(30), 0});
  CHECK(config.verified_grace == days(7));
  CHECK(config.keep_deleted == days(30));
}

TEST_CASE("a link to a storage's directory is no second place") {
  const TemporaryDirectory directory("/tmp", "bkp-link-");
  const std::string disk = directory.path() / "disk", link = directory.path() / "link";
  std::filesystem::create_directory(disk);
  std::filesystem::create_symlink(disk, link);
  const auto with = [&](const std::string& second) {
    return "[cluster]\nname = \"shop\"\n[postgres]\nconninfo = \"dbname=shop\"\n"
           "[encryption]\nkey_file = \"/k\"\n"
           "[[storage]]\nname = \"a\"\ntype = \"local\"\npath = \"" +
           disk + "\"\n[[storage]]\nname = \"b\"\ntype = \"local\"\npath = \"" + second + "\"\n";
  };
  CHECK_THROWS_WITH(parse_config(with(link), "/x.toml", 0600, Secrets::optional),
                    Catch::Contains("storages 'a' and 'b' are one place"));
  CHECK_NOTHROW(parse_config(with(disk + "2"), "/x.toml", 0600, Secrets::optional));
}

TEST_CASE("the configuration is --config, else BKP_CONFIG, else under /etc") {
  CHECK(config_path(std::nullopt) == "/etc/bkp/bkp.toml");
  const Variable variable("BKP_CONFIG", "/srv/bkp.toml");
  CHECK(config_path(std::nullopt) == "/srv/bkp.toml");
  CHECK(config_path("x.toml") == "x.toml");
  const Variable empty("BKP_CONFIG", "");
  CHECK(config_path(std::nullopt) == "/etc/bkp/bkp.toml");
}
