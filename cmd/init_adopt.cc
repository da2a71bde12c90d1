#include "init_adopt.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "backup/discover.h"
#include "base/error.h"
#include "config/env_file.h"
#include "config/private_file.h"
#include "options.h"
#include "pg/conninfo.h"
#include "storage/open_storage.h"

namespace bkp {
namespace {

namespace fs = std::filesystem;

// "R2" of the storage "r2": R2_ACCESS_KEY_ID.
std::string variable(const std::string& storage, const char* what) {
  std::string name;
  for (const char c : storage) {
    const bool digit = c >= '0' && c <= '9';
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : digit ? c : '_';
  }
  if (!name.empty() && name.front() >= '0' && name.front() <= '9') name.insert(0, "S");
  return name + what;
}

bool same_place(const StorageConfig& a, const StorageConfig& b) {
  if (a.type != b.type) return false;
  if (a.type == StorageType::local) return a.path == b.path;
  return a.endpoint == b.endpoint && a.bucket == b.bucket && a.prefix == b.prefix;
}

// The name that the storage had on the host that wrote to it. A disk may be mounted elsewhere now:
// where only one was of that kind it is that one.
std::string name_of(const StorageConfig& given, const std::vector<StorageConfig>& known) {
  std::vector<std::string> alike;
  for (const StorageConfig& storage : known) {
    if (same_place(given, storage)) return storage.name;
    if (storage.type == given.type) alike.push_back(storage.name);
  }
  if (alike.size() == 1) return alike.front();
  const std::string base = given.type == StorageType::local ? "local" : "s3";
  const auto taken = [&known](const std::string& name) {
    return std::any_of(known.begin(), known.end(),
                       [&name](const StorageConfig& storage) { return storage.name == name; });
  };
  return taken(base) ? base + "-adopted" : base;
}

// What cannot be used at once stands in the configuration as a comment, with what it lacks.
StorageSection section_of(const StorageConfig& storage, const EnvFile& variables) {
  StorageSection section{storage, {}, {}, {}};
  if (storage.type == StorageType::local) {
    std::error_code ignored;
    if (!fs::is_directory(storage.path, ignored))
      section.left_out =
          "Not on this host: mount it (or make it anew), take out the '#', bkp init.";
    return section;
  }
  section.access_key_env = variable(storage.name, "_ACCESS_KEY_ID");
  section.secret_key_env = variable(storage.name, "_SECRET_ACCESS_KEY");
  if (!environment_variable(section.access_key_env, variables) ||
      !environment_variable(section.secret_key_env, variables))
    section.left_out = fmt::format("Put {} and {} into env_file, take out the '#', bkp init.",
                                   section.access_key_env, section.secret_key_env);
  return section;
}

ClusterFile choose(Storage& storage, const std::optional<std::string>& wanted) {
  const std::vector<ClusterFile> found = find_clusters(storage);
  const std::string where = "storage at '" + storage.info().location + "'";
  if (found.empty())
    throw Error(ErrorCode::usage, "the " + where + " holds no cluster",
                "is it the right directory, or bucket and prefix?");
  std::vector<std::string> names;
  for (const ClusterFile& file : found) {
    if (wanted && file.name == *wanted) return file;
    names.push_back(fmt::format("{} (of {})", file.name, fmt::join(file.hosts, ", ")));
  }
  if (wanted)
    throw Error(ErrorCode::usage, fmt::format("the {} holds no cluster '{}', but: {}", where,
                                              *wanted, fmt::join(names, ", ")));
  if (found.size() > 1)
    throw Error(
        ErrorCode::usage,
        fmt::format("the {} holds {} clusters: {}", where, found.size(), fmt::join(names, ", ")),
        "say which: --cluster " + found.front().name);
  return found.front();
}

std::string conninfo_of(const std::string& database) {
  Conninfo conninfo("host=/var/run/postgresql");
  conninfo.set("dbname", database);
  return conninfo.text();
}

// As a line of env_file is read back.
std::string env_line(const std::string& name, std::string_view value) {
  std::string line = name + "=\"";
  for (const char c : value) {
    if (std::string_view("\"\\$`").find(c) != std::string_view::npos) line += '\\';
    line += c;
  }
  return line + "\"\n";
}

EnvFile read_variables(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return {};
  return parse_env_file(read_private_file(file, "env_file"), file);
}

}  // namespace

bool AdoptOptions::any() const {
  return endpoint || bucket || region || prefix || provider || ca_file || access_key_env ||
         secret_key_env;
}

void declare_adopt(CLI::App& app, AdoptOptions& options) {
  app.add_flag("--adopt", options.adopt,
               "on a new host: all from one storage (--local or --bucket) and --key-file");
  add_text(app, "--bucket", options.bucket, "NAME", "with --adopt: the bucket of the storage");
  add_text(app, "--endpoint", options.endpoint, "URL", "its endpoint, or say --provider");
  add_choice(app, "--provider", options.provider, "r2|b2|aws", "its provider");
  add_text(app, "--region", options.region, "NAME", "its region");
  add_text(app, "--prefix", options.prefix, "TEXT", "its prefix in the bucket");
  add_text(app, "--ca-file", options.ca_file, "FILE", "trusted instead of the system's");
  add_text(app, "--access-key-env", options.access_key_env, "NAME", "variable: its access key");
  add_text(app, "--secret-key-env", options.secret_key_env, "NAME", "variable: its secret key");
}

StorageSection given_storage(const AdoptOptions& options, const std::optional<std::string>& local) {
  if (options.names_bucket() == local.has_value())
    throw Error(ErrorCode::usage, "'bkp init --adopt' needs one storage",
                "name it by --local DIR, or by --bucket and what leads to it");
  StorageSection section;
  StorageConfig& where = section.where;
  if (local) {
    where.name = "local";
    where.path = fs::absolute(*local);
    return section;
  }
  where.name = "s3";
  where.type = StorageType::s3;
  where.bucket = *options.bucket;
  where.endpoint = options.endpoint.value_or("");
  where.region = options.region.value_or("");
  where.prefix = options.prefix.value_or("");
  where.provider = options.provider.value_or("");
  if (options.ca_file) where.ca_file = fs::absolute(*options.ca_file);
  if (!options.access_key_env || !options.secret_key_env)
    throw Error(ErrorCode::usage, "'--bucket' needs --access-key-env and --secret-key-env",
                "the names of environment variables that hold the keys");
  section.access_key_env = *options.access_key_env;
  section.secret_key_env = *options.secret_key_env;
  return section;
}

void complete_answers(InitAnswers& answers, const Config& probe, const KeyRing& keys,
                      const std::optional<std::string>& wanted, bool conninfo_given) {
  const StorageConfig& given = probe.storages.front();
  const std::shared_ptr<Storage> storage = open_storage(given);
  answers.cluster = choose(*storage, wanted).name;
  const ClusterDescription told = describe_cluster(*storage, answers.cluster, keys);
  if (!conninfo_given && !told.database.empty()) answers.conninfo = conninfo_of(told.database);
  StorageSection& first = answers.storages.front();
  first.where.name = name_of(given, told.storages);
  const EnvFile variables = read_variables(answers.env_file);
  for (const StorageConfig& other : told.storages)
    if (other.name != first.where.name) answers.storages.push_back(section_of(other, variables));
}

std::string secrets_for_file(const StorageSection& given, const std::string& file_content) {
  const EnvFile there = parse_env_file(file_content, "secrets");
  std::string lines;
  for (const std::string& name : {given.access_key_env, given.secret_key_env}) {
    if (name.empty() || there.count(name) != 0) continue;
    const auto value = environment_variable(name, {});
    if (!value) continue;
    lines += env_line(name, value->reveal_text());
  }
  return lines;
}

}  // namespace bkp
