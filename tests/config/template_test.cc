#include "config/template.h"

#include <catch2/catch.hpp>
#include <regex>

#include "base/fd.h"
#include "config/config.h"

using namespace bkp;

namespace {

InitAnswers answers() {
  return {"shop",
          "host=/var/run/postgresql dbname=shop user=bkp",
          "/var/backups/shop",
          "sqlite:/var/lib/bkp/catalog.db",
          "/etc/bkp/keys.toml",
          "/etc/bkp/secrets.env",
          "",
          {}};
}

Config parse(const std::string& content, Secrets secrets = Secrets::optional) {
  return parse_config(content, "/etc/bkp/bkp.toml", 0600, secrets);
}

}  // namespace

TEST_CASE("the configuration that init writes is read without complaint") {
  const Config config = parse(configuration_template(answers()));
  CHECK(config.cluster == "shop");
  CHECK(config.conninfo == "host=/var/run/postgresql dbname=shop user=bkp");
  CHECK(config.catalog_url == "sqlite:/var/lib/bkp/catalog.db");
  CHECK(config.state_dir == "/var/lib/bkp");
  CHECK(config.key_file == "/etc/bkp/keys.toml");
  REQUIRE(config.storages.size() == 1);
  CHECK(config.storages[0].path == "/var/backups/shop");

  InitAnswers other = answers();
  other.env_file.clear();
  other.state_dir = "/run/bkp";
  CHECK(parse(configuration_template(other), Secrets::required).state_dir == "/run/bkp");
}

TEST_CASE("it says no value other than the default") {
  const Config written = parse(configuration_template(answers()));
  const Config standard;
  CHECK(to_string(written.compress_dump) == to_string(standard.compress_dump));
  CHECK(to_string(written.compress_tenant) == to_string(standard.compress_tenant));
  CHECK(to_string(written.compress_configuration) == to_string(standard.compress_configuration));
  CHECK(to_string(written.compress_base) == to_string(standard.compress_base));
  CHECK(to_string(written.compress_wal) == to_string(standard.compress_wal));
  CHECK(written.digests == standard.digests);
  CHECK(written.lock_wait == standard.lock_wait);
  CHECK(written.cipher == standard.cipher);
  CHECK(written.copies_minimum == standard.copies_minimum);
  CHECK(written.verify_after == standard.verify_after);
  CHECK(written.restore_jobs == standard.restore_jobs);
}

TEST_CASE("answers that need quoting come back as they were") {
  InitAnswers odd = answers();
  odd.conninfo = "dbname='a \"b\" \\\\c' application_name='t\tx'";
  odd.local = "/var/back\\ups \"x\"";
  const Config config = parse(configuration_template(odd));
  CHECK(config.conninfo == odd.conninfo);
  CHECK(config.storages[0].path == odd.local);
  CHECK(toml_quoted(std::string("a\n\x7f", 3)) == "\"a\\u000a\\u007f\"");
}

TEST_CASE("the storages that it shows in comments are right when the marks are taken out") {
  std::string content = configuration_template(answers());
  content =
      std::regex_replace(content, std::regex("\n# (\\[\\[storage\\]\\]|[a-z_0-9]+ = )"), "\n$1");
  const Config config = parse(content);
  CHECK(config.storages.size() == 3);
  CHECK(config.storage("r2").provider == "r2");
  CHECK(config.storage("b2").endpoint == "https://s3.us-east-005.backblazeb2.com");
  CHECK(config.read_order == std::vector<std::string>{"local", "r2", "b2"});
}

TEST_CASE("the example configuration is the one that init writes") {
  CHECK(read_file(std::filesystem::path(BKP_SOURCE_DIR) / "examples/bkp.toml") ==
        configuration_template(answers()));
}
