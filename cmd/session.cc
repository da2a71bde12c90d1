#include "session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "backup/history_snapshot.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/lock.h"
#include "base/uuid.h"
#include "catalog/postgres_database.h"
#include "catalog/stand_in.h"
#include "config/conninfo.h"
#include "console_log.h"
#include "failure.h"
#include "prompt.h"
#include "repo/heartbeat.h"
#include "repo/open_repository.h"

namespace bkp {
namespace {

ConsoleLog::Options log_options(const GlobalOptions& globals) {
  ConsoleLog::Options options;
  if (globals.verbose > 0) options.least = LogLevel::debug;
  if (globals.quiet) options.least = LogLevel::warning;
  options.colours = wants_colours(stderr, globals.no_color);
  options.bar = !globals.quiet && ::isatty(STDERR_FILENO) == 1;
  return options;
}

// Hides what follows "password=" up to a blank or '&' (or its closing quote), and "://user:THIS@".
std::string without_password(std::string word) {
  constexpr std::string_view kKey = "password=";
  for (std::size_t at = 0; (at = word.find(kKey, at)) != std::string::npos;) {
    at += kKey.size();
    std::size_t end = at;
    if (at < word.size() && word[at] == '\'')
      end = std::min(word.find('\'', at + 1), word.size() - 1) + 1;
    else
      end = std::min(word.find_first_of(" &", at), word.size());
    word.replace(at, end - at, "****");
  }
  const std::size_t scheme = word.find("://");
  if (scheme == std::string::npos) return word;
  const std::size_t host = std::min(word.find('/', scheme + 3), word.size());
  const std::size_t at_sign = word.rfind('@', host);
  const std::size_t colon = word.find(':', scheme + 3);
  if (at_sign != std::string::npos && colon < at_sign && at_sign > scheme)
    word.replace(colon + 1, at_sign - colon - 1, "****");
  return word;
}

}  // namespace

std::string recorded_words(const std::vector<std::string>& words) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@%+*";
  std::string line;
  for (const std::string& typed : words) {
    const std::string word = without_password(typed);
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

struct Session::State {
  explicit State(Start from)
      : start(std::move(from)),
        log(log_options(start.globals)),
        output(start.globals.json, wants_colours(stdout, start.globals.no_color)) {
    if (start.globals.actor.empty()) start.globals.actor = start.actor;
  }

  Start start;
  ConsoleLog log;
  Output output;
  SystemClock clock;
  std::string host = host_name();
  std::string run_id = Uuid::random().text();
  std::string summary;
  std::string statistics = "{}";
  std::optional<Config> config;
  Secrets secrets = Secrets::optional;
  std::vector<Lock> locks;
  std::unique_ptr<Catalog> catalog;
  bool writable = false;      // the catalog
  bool catalog_away = false;  // a stand-in keeps what is for it
  std::unique_ptr<WorkerPool> pool;
  std::unique_ptr<Repository> repository;

  RunRecord begun_run() const {
    RunRecord run;
    run.id = run_id;
    run.command = start.command.name;
    run.arguments = recorded_words(start.words);
    run.host = host;
    run.actor = start.globals.actor;
    run.pid = ::getpid();
    run.started_at = clock.now();
    return run;
  }

  std::string alert_key() const { return std::string(start.command.alert) + ":" + config->cluster; }

  AlertRecord alert_of(const Error& error) const {
    AlertRecord alert;
    alert.id = Uuid::random().text();
    alert.dedup_key = alert_key();
    alert.type = start.command.alert;
    alert.severity = AlertSeverity::critical;
    alert.message = error.message();
    alert.run_id = run_id;
    alert.first_at = alert.last_at = clock.now();
    return alert;
  }
};

Session::Session(Start start) : state_(std::make_unique<State>(std::move(start))) {}
Session::~Session() = default;

int Session::carry_out(const Run& run) {
  const Command& command = state_->start.command;
  if (command.effect != Effect::changes) return run(*this);

  RunRecord record = state_->begun_run();
  catalog().put_run(record);
  const auto end = [&](int code, const std::string& message) {
    record.finished_at = clock().now();
    record.exit_code = code;
    record.message = message;
    record.statistics = state_->statistics;
    catalog().put_run(record);
  };
  try {
    if (command.lock != nullptr) take_lock(command.lock);
    const int code = run(*this);
    end(code, state_->summary);
    if (code == 0 && command.alert != nullptr)
      catalog().resolve_alert(state_->alert_key(), clock().now());
    const int settled_code = settled(code);
    if (!state_->catalog_away) {
      Context whole = context();
      keep_history(whole);
    }
    return settled_code;
  } catch (...) {
    const Error error = as_error(std::current_exception());
    try {
      end(static_cast<int>(error.code()), error.message());
      // Whoever mistyped something sees it; a schedule's mistake has nobody to see it.
      const bool seen = error.code() == ErrorCode::usage && can_ask();
      if (command.alert != nullptr && error.code() != ErrorCode::locked && !seen)
        catalog().raise_alert(state_->alert_of(error));
    } catch (const std::exception& second) {
      log().warning(std::string("the failure is not on record: ") + second.what());
    }
    settled(1);
    throw;
  }
}

const std::filesystem::path& Session::config_file() const { return state_->start.config_file; }

const Config& Session::config(Secrets secrets) {
  const bool enough =
      state_->config && (state_->secrets == Secrets::required || secrets == Secrets::optional);
  if (!enough) {
    state_->config = load_config(config_file(), secrets);
    state_->secrets = secrets;
  }
  return *state_->config;
}

std::unique_ptr<SqlDatabase> Session::open_database() {
  const Config& settings = config(Secrets::optional);
  const std::string& url = settings.catalog_url;
  const auto open = [this, &url] {
    return open_postgres_database(url, [this](const std::string& line) { log().warning(line); });
  };
  const Command& command = state_->start.command;
  const std::string_view group = command.group;
  if (command.effect != Effect::changes || (group != "Backup" && group != "Restore")) return open();
  StandInOptions options;
  options.file = stand_in_file(settings.state_dir, settings.cluster);
  options.name = "'" + shown_conninfo(url) + "'";
  options.switched = [this](const Error& reason) {
    state_->catalog_away = true;
    log().warning(reason.message());
    log().warning("going on without the catalog");
  };
  if (group == "Backup") return with_stand_in(open, std::move(options));
  // What is restored is found in the catalog: only what comes after that can do without.
  std::unique_ptr<SqlDatabase> opened = open();
  return with_stand_in([&opened] { return std::move(opened); }, std::move(options));
}

void Session::take_left_stand_ins() {
  const Config& settings = config(Secrets::optional);
  if (!is_postgresql_url(settings.catalog_url) || state_->catalog_away ||
      state_->start.command.effect != Effect::changes)
    return;
  for (const auto& file : left_stand_ins(settings.state_dir, settings.cluster)) try {
      const std::size_t count = hand_over(file, *state_->catalog);
      log().info(fmt::format("{} records of a run that had no catalog are in it now", count));
    } catch (const Error& error) {
      check_interrupt();
      log().warning(
          fmt::format("cannot take '{}' into the catalog: {}", file.string(), error.message()));
    }
}

int Session::settled(int code) noexcept {
  if (!state_->catalog_away) return code;
  const InterruptShield shield;
  const Config& settings = *state_->config;
  const std::filesystem::path file = stand_in_file(settings.state_dir, settings.cluster);
  try {
    Catalog real(open_postgres_database(settings.catalog_url), settings.cluster);
    state_->catalog.reset();  // gives the file free
    hand_over(file, real);
    state_->catalog_away = false;
    log().info("the catalog is there again, and knows of this run");
    return code;
  } catch (const std::exception&) {
    log().warning(
        fmt::format("the catalog does not know of this run: the next one on this host "
                    "that reaches it takes in what is kept in '{}'",
                    file.string()));
    return code == 0 ? 3 : code;
  }
}

Catalog& Session::catalog() {
  const bool reads = state_->start.command.effect == Effect::reads;
  return catalog(reads && !state_->writable ? SqlAccess::read : SqlAccess::write);
}

bool Session::has_catalog() {
  // One that comes from a secret is asked for when it is needed.
  if (config(Secrets::optional).catalog_url.empty()) config(Secrets::required);
  const std::string& url = config(Secrets::optional).catalog_url;
  constexpr std::string_view kSqlite = "sqlite:";
  return !url.starts_with(kSqlite) || std::filesystem::exists(url.substr(kSqlite.size()));
}

Catalog& Session::catalog(SqlAccess access) {
  const bool enough = access == SqlAccess::read || state_->writable;
  if (state_->catalog && enough) return *state_->catalog;
  const bool there = has_catalog();
  const Config& settings = config(Secrets::optional);
  if (!there)
    throw Error(ErrorCode::usage,
                "there is no catalog at '" +
                    settings.catalog_url.substr(settings.catalog_url.find(':') + 1) + "'",
                "'bkp init' creates it");
  const bool plain = access == SqlAccess::read || !is_postgresql_url(settings.catalog_url);
  Catalog opened = plain ? open_catalog(settings.catalog_url, access, settings.cluster)
                         : Catalog(open_database(), settings.cluster);
  if (state_->catalog)
    *state_->catalog = std::move(opened);  // who refers to it goes on with this one
  else
    state_->catalog = std::make_unique<Catalog>(std::move(opened));
  state_->writable = access == SqlAccess::write;
  take_left_stand_ins();
  return *state_->catalog;
}

WorkerPool& Session::pool() {
  if (!state_->pool) state_->pool = std::make_unique<WorkerPool>();
  return *state_->pool;
}

Repository& Session::repository() {
  if (!state_->repository)
    state_->repository = open_repository(config(Secrets::required), pool(), clock());
  return *state_->repository;
}

const Clock& Session::clock() const { return state_->clock; }
Log& Session::log() { return state_->log; }

Output& Session::output() {
  state_->log.clear();  // a result is not written behind the bar
  return state_->output;
}

Context Session::context() {
  return {config(), repository(), catalog(), clock(),
          log(),    actor(),      run_id(),  state_->start.globals.wait};
}

void Session::report(const Error& error) {
  state_->log.clear();
  const std::string text =
      failure_text(error, wants_colours(stderr, state_->start.globals.no_color));
  std::fwrite(text.data(), 1, text.size(), stderr);
}

const std::string& Session::actor() const { return state_->start.globals.actor; }
const std::string& Session::host() const { return state_->host; }
const std::string& Session::run_id() const { return state_->run_id; }
void Session::set_statistics(std::string json) { state_->statistics = std::move(json); }
void Session::set_summary(std::string summary) { state_->summary = std::move(summary); }

void Session::take_lock(const std::string& name) {
  const Config& settings = config(Secrets::optional);
  state_->locks.emplace_back(settings.state_dir, settings.cluster + "-" + name,
                             std::string("bkp ") + state_->start.command.name,
                             state_->start.globals.wait);
}

}  // namespace bkp
