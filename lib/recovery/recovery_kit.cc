#include "recovery/recovery_kit.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "config/conninfo.h"
#include "config/template.h"

namespace bkp {
namespace {

std::string storage_text(const StorageConfig& storage) {
  std::string out = "    [[storage]]\n    name = " + toml_quoted(storage.name) + "\n";
  const auto add = [&out](std::string_view key, const std::string& value) {
    if (!value.empty()) out += fmt::format("    {} = {}\n", key, toml_quoted(value));
  };
  if (storage.type == StorageType::local) {
    add("type", "local");
    add("path", storage.path.string());
    return out + "    # on the lost host, unless this disk or directory lies elsewhere\n";
  }
  add("type", "s3");
  add("provider", storage.provider);
  add("endpoint", storage.endpoint);
  add("region", storage.region);
  add("bucket", storage.bucket);
  add("prefix", storage.prefix);
  add("ca_file", storage.ca_file.string());
  return out +
         "    access_key_env = \"BKP_ACCESS_KEY\"   # from whoever runs this storage\n"
         "    secret_key_env = \"BKP_SECRET_KEY\"\n";
}

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += "    " + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string joined(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& each : all) out += (out.empty() ? "" : ", ") + each;
  return out.empty() ? "not known" : out;
}

constexpr const char* kHead =
    "RECOVERY KIT of the PostgreSQL cluster '{}'\n"
    "made by bkp {} on host '{}', {}\n\n"
    "Keep this OFF the host it is for: printed in a safe, or in a password manager.\n"
    "It holds the encryption keys. Whoever has it and one storage can read every backup;\n"
    "without it and without the key file nobody can.\n\n"
    "1. WHAT THIS IS ABOUT\n"
    "    cluster             {} ({})\n"
    "    system identifiers  {}\n"
    "    server              {}\n\n";

constexpr const char* kSteps =
    "2. ON A NEW HOST\n"
    "   a. Install PostgreSQL of the same major version or newer, and bkp.\n"
    "   b. Write the text of section 4 to the file\n"
    "          {}\n"
    "      and close it to others:   chmod 600 {}\n"
    "   c. Write the configuration of section 3 to a file such as /etc/bkp/bkp.toml, with the\n"
    "      storages that are still there, and set the variables that it names.\n"
    "   d. As the user that owns the new cluster (usually postgres):\n"
    "          bkp init            # finds the cluster in the storages, and its backups\n"
    "          bkp list\n"
    "          bkp restore latest --db DATABASE --into DATABASE\n"
    "      Roles that the backup needs are named before anything is written.\n"
    "   Without bkp: examples/bkp-open.py of its source opens any data object with the key file\n"
    "   alone; what comes out is for pg_restore. The format is in the page bkp-container(5).\n\n";

}  // namespace

std::string recovery_kit_text(const Config& config, const RecoveryKit& kit) {
  std::string out =
      fmt::format(kHead, config.cluster, BKP_VERSION, kit.host, format_utc(kit.made_at),
                  config.cluster, kit.cluster.text(), joined(kit.system_identifiers),
                  kit.server.empty() ? "not known" : kit.server);
  out += fmt::format(kSteps, config.key_file.string(), config.key_file.string());
  out += "3. CONFIGURATION\n";
  out += fmt::format(
      "    [cluster]\n    name = {}\n    [postgres]\n    conninfo = \"dbname=postgres\"\n"
      "    [catalog]\n    url = {}\n    [encryption]\n    key_file = {}\n    cipher = {}\n",
      toml_quoted(config.cluster),
      toml_quoted(is_postgresql_url(config.catalog_url) ? shown_conninfo(config.catalog_url)
                                                        : config.catalog_url),
      toml_quoted(config.key_file.string()), toml_quoted(config.cipher));
  for (const StorageConfig& storage : config.storages) out += storage_text(storage);
  return out + "\n4. KEY FILE\n" + indented(kit.key_text);
}

}  // namespace bkp
