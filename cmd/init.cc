#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "backup/adopt.h"
#include "backup/catalog_place.h"
#include "backup/history_snapshot.h"
#include "backup/setup.h"
#include "base/fd.h"
#include "commands.h"
#include "config/conninfo.h"
#include "config/template.h"
#include "crypto/key.h"
#include "describe.h"
#include "init_adopt.h"
#include "json.h"
#include "options.h"
#include "pg/connection.h"
#include "pg/dump_access.h"
#include "prompt.h"
#include "recovery/recovery_kit.h"
#include "run_user.h"
#include "session.h"

namespace bkp {
namespace {

namespace fs = std::filesystem;
using Outcome = SetupStep::Outcome;

struct InitOptions {
  AdoptOptions adopt;
  std::optional<std::string> cluster, conninfo, local, catalog, key_file, kit;
  std::string user = "postgres";
  bool yes = false;
  bool new_cluster = false;
};

constexpr const char* kSystemConfig = "/etc/bkp/bkp.toml";

std::string answer(const std::optional<std::string>& given, bool yes, const char* option,
                   const char* question, const std::string& by_default) {
  if (given) return *given;
  if (yes || !can_ask())
    throw Error(ErrorCode::usage, fmt::format("'bkp init' needs {}", option),
                "without a terminal, or with --yes: --cluster, --conninfo and --local");
  return ask(question, by_default);
}

InitAnswers answers_of(const InitOptions& options, const fs::path& config_file) {
  InitAnswers answers;
  answers.cluster =
      answer(options.cluster, options.yes, "--cluster", "name of the cluster", "main");
  answers.conninfo = answer(options.conninfo, options.yes, "--conninfo",
                            "how to reach the server (a libpq conninfo, no password)",
                            "host=/var/run/postgresql dbname=postgres user=postgres");
  answers.local =
      fs::absolute(answer(options.local, options.yes, "--local", "directory of the local storage",
                          "/var/backups/" + answers.cluster));
  const fs::path beside = config_file.parent_path();
  const fs::path catalog =
      config_file == kSystemConfig ? "/var/lib/bkp/catalog.db" : beside / "catalog.db";
  answers.catalog_url = options.catalog.value_or("sqlite:" + catalog.string());
  // Without a directory of a SQLite catalog, the locks have none.
  if (is_postgresql_url(answers.catalog_url) && config_file != kSystemConfig)
    answers.state_dir = beside;
  answers.key_file = options.key_file ? fs::absolute(*options.key_file) : beside / "keys.toml";
  answers.env_file = beside / "secrets.env";
  return answers;
}

// What only root can make is made as root, for the user that everything else then runs as.
void prepare_as_root(const InitAnswers& answers, const fs::path& config_file,
                     const InitOptions& options) {
  if (!is_root()) return;
  make_directory_of(config_file.parent_path(), options.user, 0750);
  make_directory_of(answers.key_file.parent_path(), options.user, 0750);
  if (answers.storages.empty()) make_directory_of(answers.local, options.user, 0700);
  constexpr std::string_view kSqlite = "sqlite:";
  if (answers.catalog_url.starts_with(kSqlite))
    make_directory_of(fs::path(answers.catalog_url.substr(kSqlite.size())).parent_path(),
                      options.user, 0750);
  else if (answers.state_dir.empty())
    make_directory_of("/var/lib/bkp", options.user, 0750);
  become_user(options.user);
}

SetupStep write_once(const char* what, const fs::path& path, const std::string& text,
                     unsigned mode) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) return {what, path.string(), Outcome::kept, ""};
  fs::create_directories(path.parent_path());
  write_file_atomically(path, text, mode);
  return {what, path.string(), Outcome::made, ""};
}

constexpr const char* kSecretsHead =
    "# Credentials that bkp.toml names by x_env, one NAME=value a line; read by bkp alone.\n"
    "# R2_ACCOUNT_ID=\n# R2_ACCESS_KEY_ID=\n# R2_SECRET_ACCESS_KEY=\n";

struct Server {
  std::string system_identifier;
  std::string text;
};

Server ask_server(const Config& config, Log& log) {
  try {
    PgConnection connection(config.conninfo);
    return {system_identifier(connection),
            fmt::format("PostgreSQL {}.{}, {}", connection.major(),
                        connection.server_version() % 10000, describe_conninfo(config.conninfo))};
  } catch (const Error& error) {
    log.warning("the server was not asked: " + error.message());
    return {};
  }
}

// Before anything is made in it.
void refuse_catalog_inside(const Config& config, Log& log) {
  if (!is_postgresql_url(config.catalog_url)) return;
  std::optional<PgConnection> server;
  try {
    server.emplace(config.conninfo);
  } catch (const Error&) {
    return;  // told when it is asked for its version
  }
  const std::optional<std::string> inside = catalog_on(*server, config);
  if (inside == server->database()) throw catalog_inside(*inside);
  if (inside)
    log.warning(
        fmt::format("the catalog is in database '{}' of the server that is backed up: both "
                    "are lost at once",
                    *inside));
}

SetupStep write_kit(const Config& config, const SetupResult& result, const std::string& server,
                    const InitOptions& options, Session& session) {
  const fs::path path =
      options.kit ? fs::absolute(*options.kit)
                  : config.file.parent_path() / ("recovery-kit-" + config.cluster + ".txt");
  const RecoveryKit kit{session.clock().now(),     session.host(), result.cluster,
                        result.system_identifiers, server,         read_file(config.key_file)};
  write_file_atomically(path, recovery_kit_text(config, kit), 0600);
  return {"recovery kit", path.string(), Outcome::made, ""};
}

// On a new host: what the storages hold becomes known to the new catalog.
SetupStep adopt(Session& session) {
  Context context = session.context();
  const AdoptResult adopted = adopt_backups(context);
  for (const std::string& problem : adopted.problems) session.log().warning(problem);
  const HistoryTaken history = take_history(context);
  for (const std::string& problem : history.problems) session.log().warning(problem);
  return {"backups", fmt::format("{} found in the storages", adopted.adopted), Outcome::made, ""};
}

int print(const SetupResult& result, Session& session) {
  bool failed = false;
  for (const SetupStep& step : result.steps) failed |= step.outcome == Outcome::failed;
  if (session.output().json()) {
    session.output().document(setup_json(result));
    return failed ? 3 : 0;
  }
  for (const SetupStep& step : result.steps)
    session.output().line(fmt::format("{:<7} {:<18} {}{}", outcome_name(step.outcome), step.what,
                                      step.where,
                                      step.problem.empty() ? "" : ": " + printable(step.problem)));
  session.log().info(
      "move the recovery kit off this host: with it and one storage, every backup "
      "can be read; without it and the key file, none");
  return failed ? 3 : 0;
}

// The configuration and its secrets; one that turns out wrong (a name that cannot be) does not stay
// to be kept by the next run.
std::vector<SetupStep> make_configuration(const InitOptions& options, Session& session) {
  const fs::path& config_file = session.config_file();
  std::error_code ignored;
  if (fs::exists(config_file, ignored)) {
    session.config();
    return {{"configuration", config_file.string(), Outcome::kept, ""}};
  }
  const InitAnswers answers = answers_of(options, config_file);
  const std::string text = configuration_template(answers);
  prepare_as_root(answers, config_file, options);
  std::vector<SetupStep> steps;
  steps.push_back(write_once("secrets file", answers.env_file, kSecretsHead, 0600));
  steps.push_back(write_once("configuration", config_file, text, 0640));
  try {
    session.config();
  } catch (...) {
    fs::remove(config_file, ignored);
    if (steps.front().outcome == Outcome::made) fs::remove(answers.env_file, ignored);
    throw;
  }
  return steps;
}

// The same for a host that has one storage and the key file.
std::vector<SetupStep> adopt_configuration(const InitOptions& options, Session& session) {
  const fs::path& config_file = session.config_file();
  std::error_code ignored;
  if (fs::exists(config_file, ignored))
    throw Error(ErrorCode::usage,
                "there is a configuration already: '" + config_file.string() + "'",
                "'bkp catalog rebuild' fills its catalog from its storages");
  if (!options.key_file)
    throw Error(ErrorCode::usage, "'bkp init --adopt' needs --key-file",
                "the recovery kit has it: put it into a file of mode 0600");
  InitOptions known = options;  // what the storage tells is not asked
  known.yes = true;
  if (!known.cluster) known.cluster = "adopted";
  if (!known.conninfo) known.conninfo = "host=/var/run/postgresql dbname=postgres";
  if (!known.local) known.local = "/";
  InitAnswers answers = answers_of(known, config_file);
  answers.storages = {given_storage(options.adopt, options.local)};
  prepare_as_root(answers, config_file, options);
  std::vector<SetupStep> steps;
  steps.push_back(write_once("secrets file", answers.env_file, kSecretsHead, 0600));
  try {
    const Config probe =
        parse_config(configuration_template(answers), config_file, 0640, Secrets::required);
    complete_answers(answers, probe, load_key_file(answers.key_file), options.cluster,
                     options.conninfo.has_value());
    const std::string secrets = read_file(answers.env_file);
    const std::string more = secrets_for_file(answers.storages.front(), secrets);
    if (!more.empty()) write_file_atomically(answers.env_file, secrets + more, 0600);
    steps.push_back(
        write_once("configuration", config_file, configuration_template(answers), 0640));
    session.config();
  } catch (...) {
    fs::remove(config_file, ignored);
    if (steps.front().outcome == Outcome::made) fs::remove(answers.env_file, ignored);
    throw;
  }
  return steps;
}

int run_init(const InitOptions& options, Session& session) {
  if (!options.adopt.adopt && options.adopt.any())
    throw Error(ErrorCode::usage, "'--bucket' and what leads to it go with '--adopt' only",
                "a new cluster's buckets are sections of the configuration");
  const bool adopting = options.adopt.adopt;
  const std::vector<SetupStep> steps =
      adopting ? adopt_configuration(options, session) : make_configuration(options, session);
  const Config& config = session.config();
  refuse_catalog_inside(config, session.log());
  const Server server = ask_server(config, session.log());
  SetupResult result = set_up(config, session.clock(), server.system_identifier, session.host(),
                              options.new_cluster ? Identity::may_be_new : Identity::existing);
  result.steps.insert(result.steps.begin(), steps.begin(), steps.end());
  if (result.found_backups || adopting) result.steps.push_back(adopt(session));
  result.steps.push_back(write_kit(config, result, server.text, options, session));
  return print(result, session);
}

}  // namespace

Run declare_init(CLI::App& app) {
  const auto options = std::make_shared<InitOptions>();
  add_text(app, "--cluster", options->cluster, "NAME", "what the cluster is called");
  add_text(app, "--conninfo", options->conninfo, "CONNINFO", "how to reach the server");
  add_text(app, "--local", options->local, "DIR", "directory of the storage 'local'");
  add_text(app, "--catalog", options->catalog, "URL",
           "the catalog; else /var/lib/bkp/catalog.db, or beside a configuration elsewhere");
  add_text(app, "--key-file", options->key_file, "FILE",
           "the key file; else keys.toml beside the configuration");
  add_text(app, "--recovery-kit", options->kit, "FILE",
           "where to write it; else beside the configuration");
  add_text(app, "--user", options->user, "USER",
           "as root: the user that owns the cluster; else postgres");
  declare_adopt(app, options->adopt);
  app.add_flag("--new-cluster", options->new_cluster,
               "this cluster is new: do not wait for storages that do not answer");
  app.add_flag("--yes", options->yes, "ask nothing");
  return [options](Session& session) { return run_init(*options, session); };
}

}  // namespace bkp
