#include "config/template.h"

#include <fmt/format.h>

namespace bkp {

namespace {

constexpr const char* kHead =
    R"(# The configuration of bkp. What each key means: man 5 bkp.toml
# After a change: bkp doctor

# Secrets, as lines NAME=VALUE that keys ending in _env name. Only its owner may read it.
{env_file}
{state_dir}
[cluster]
name = {cluster}            # the first directory in every storage

[postgres]
conninfo = {conninfo}       # no password here: ~/.pgpass
# data_dir = "/var/lib/postgresql/15/main"      # default: what the server says
# bin_dir = "/usr/lib/postgresql/15/bin"        # default: by the server's major version

[catalog]
url = {catalog}   # or, for several hosts: "postgresql://bkp@db2/bkp"

[encryption]
key_file = {key_file}       # keep a copy off this host: no key, no restore
cipher = "aes-256-gcm"
# also_for = ["3a1fb71f-7296-4251-9a4d-230ea5862e4c"]   # escrow: opens them as well

)";

constexpr const char* kKinds =
    R"([compression]                # "none", "gzip:1" to "gzip:9", "zstd:1" to "zstd:19"
dump = "gzip:9"
tenant = "gzip:9"
configuration = "gzip:9"
base = "zstd:1"
wal = "zstd:1"

[dump]                       # patterns are those of pg_dump
exclude_schemas = []
exclude_tables = []
exclude_table_data = []      # the table itself is dumped, its rows are not
digests = true               # of every table's rows, compared after a restore
lock_wait = "60s"

[copies]
minimum = 1                  # with fewer durable copies a backup has failed

)";

constexpr const char* kStorages =
    R"([[storage]]
name = "local"
type = "local"
path = {local}
# capacity = "500GiB"        # default: the file system's
# keep = {{ dump = "30d", tenant = "30d", configuration = "30d", base = "8d", wal = "7d" }}
# keep_last = {{ dump = 7 }}   # that many of the newest, however old

# A copy elsewhere is what saves you when this host is lost. Take out the '#', put the secrets into
# env_file, and run 'bkp init' again.

# [[storage]]
# name = "r2"
# type = "s3"
# provider = "r2"            # Cloudflare R2
# account_id_env = "R2_ACCOUNT_ID"
# bucket = "shop-backups"
# access_key_env = "R2_ACCESS_KEY_ID"
# secret_key_env = "R2_SECRET_ACCESS_KEY"

# [[storage]]
# name = "b2"
# type = "s3"
# provider = "b2"            # Backblaze B2
# region = "us-east-005"     # from the bucket's endpoint
# bucket = "shop-backups"
# access_key_env = "B2_KEY_ID"
# secret_key_env = "B2_APPLICATION_KEY"
# verify_after = "stat"      # where reading back costs

)";

constexpr const char* kTail =
    R"([verify]
after = "read"               # after a backup: "read" every copy back, "stat" its size, "none"

[restore]
# read_order = ["local", "r2", "b2"]            # default: the order above
jobs = 4
# conninfo = "host=/var/run/postgresql user=postgres"   # a role that may create databases
# spool_dir = "/var/tmp"

[cleanup]
# verified_grace = "7d"      # verified backups are kept this much longer
# keep_deleted = "90d"       # how long the catalog remembers what is gone

[config_snapshot]            # beside PostgreSQL's own files and what the server says
paths = []                   # such as "/etc/nginx", "/srv/*/docker-compose.yml", "/etc/cron.d"
# secrets = [".env", "*.pem", "*.key"]          # sealed a second time; default: names of the usual kinds
# secrets_key_file = "/etc/bkp/secret-keys.toml"   # by the keys in here: bkp key generate --key-file
)";

std::string optional_path(const char* key, const std::filesystem::path& path, const char* example) {
  return path.empty() ? fmt::format("# {} = \"{}\"", key, example)
                      : fmt::format("{} = {}", key, toml_quoted(path.string()));
}

std::string storages_text(const InitAnswers& answers) {
  if (answers.storages.empty())
    return fmt::format(kStorages, fmt::arg("local", toml_quoted(answers.local.string())));
  std::string text;
  for (const StorageSection& section : answers.storages) text += storage_section(section);
  return text;
}

}  // namespace

std::string toml_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      result += c;
  }
  return result + '"';
}

std::string storage_section(const StorageSection& section) {
  const StorageConfig& where = section.where;
  std::string text = "[[storage]]\n";
  const auto add = [&text](const char* key, const std::string& value) {
    if (!value.empty()) text += fmt::format("{} = {}\n", key, toml_quoted(value));
  };
  add("name", where.name);
  if (where.type == StorageType::local) {
    text += "type = \"local\"\n";
    add("path", where.path.string());
  } else {
    text += "type = \"s3\"\n";
    add("provider", where.provider);
    add("endpoint", where.endpoint);
    add("region", where.region);
    add("bucket", where.bucket);
    add("prefix", where.prefix);
    add("ca_file", where.ca_file.string());
    add("access_key_env", section.access_key_env);
    add("secret_key_env", section.secret_key_env);
  }
  if (section.left_out.empty()) return text + "\n";
  std::string commented = "# " + section.left_out + "\n";
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = text.find('\n', from) + 1;
    commented += "# " + text.substr(from, to - from);
    from = to;
  }
  return commented + "\n";
}

std::string configuration_template(const InitAnswers& answers) {
  using fmt::arg;
  return fmt::format(
             kHead,
             arg("env_file", optional_path("env_file", answers.env_file, "/etc/bkp/secrets.env")),
             arg("state_dir", optional_path("state_dir", answers.state_dir, "/var/lib/bkp") +
                                  "   # locks; default: the catalog's directory\n"),
             arg("cluster", toml_quoted(answers.cluster)),
             arg("conninfo", toml_quoted(answers.conninfo)),
             arg("catalog", toml_quoted(answers.catalog_url)),
             arg("key_file", toml_quoted(answers.key_file.string()))) +
         kKinds + storages_text(answers) + kTail;
}

}  // namespace bkp
