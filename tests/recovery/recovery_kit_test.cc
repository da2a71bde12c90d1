#include "recovery/recovery_kit.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "base/fd.h"
#include "crypto/key.h"

using namespace bkp;

namespace {

Config sample() {
  Config config;
  config.cluster = "shop";
  config.catalog_url = "sqlite:/var/lib/bkp/catalog.db";
  config.key_file = "/etc/bkp/keys.toml";
  StorageConfig local;
  local.name = "local";
  local.path = "/var/backups/shop";
  StorageConfig cloud;
  cloud.name = "r2";
  cloud.type = StorageType::s3;
  cloud.endpoint = "https://account.r2.cloudflarestorage.com";
  cloud.region = "auto";
  cloud.bucket = "shop-backups";
  cloud.access_key = Secret("ACCESS-NOT-HERE");
  cloud.secret_key = Secret("SECRET-NOT-HERE");
  config.storages = {local, cloud};
  return config;
}

// The lines of a section, without their indentation.
std::string section(const std::string& text, const std::string& heading) {
  std::istringstream lines(text.substr(text.find(heading)));
  std::string line, out;
  std::getline(lines, line);
  while (std::getline(lines, line) && (line.empty() || line.starts_with("    ")))
    if (!line.empty()) out += line.substr(4) + "\n";
  return out;
}

}  // namespace

TEST_CASE("the kit names cluster, storages and steps, and holds no credentials") {
  const RecoveryKit kit{parse_rfc3339("2026-11-20T02:00:00Z"),
                        "db1",
                        *Uuid::parse("0d9c1f2e-0000-4000-8000-000000000001"),
                        {"7400000000000000001"},
                        "PostgreSQL 15.20",
                        "[[key]]\n"};
  const std::string text = recovery_kit_text(sample(), kit);
  for (const char* part :
       {"cluster 'shop'", "0d9c1f2e-0000-4000-8000-000000000001", "7400000000000000001",
        "PostgreSQL 15.20", "db1", "path = \"/var/backups/shop\"", "bucket = \"shop-backups\"",
        "https://account.r2.cloudflarestorage.com", "bkp init", "bkp restore", "bkp-open.py",
        "OFF the host"}) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
  CHECK(text.find("NOT-HERE") == std::string::npos);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);
}

TEST_CASE("the key section of the kit is a key file that opens what the original does") {
  const TemporaryDirectory directory("/tmp", "bkp-kit-");
  const auto original = directory.path() / "keys.toml";
  const KeyRing ring(
      {generate_master_key(KeyState::active, parse_rfc3339("2026-11-20T02:00:00Z"))});
  save_key_file(original, ring, KeyFileMode::create_new);
  const std::string text = recovery_kit_text(
      sample(),
      {parse_rfc3339("2026-11-20T02:00:00Z"), "db1", Uuid::random(), {}, "", read_file(original)});
  const auto copied = directory.path() / "copied.toml";
  write_file_atomically(copied, section(text, "4. KEY FILE"), 0600);
  const Key256 key = random_key();
  const std::vector<KeySlot> slots{ring.wrap(key)};
  CHECK(load_key_file(copied).unwrap(slots).reveal_text() == key.reveal_text());
}
