#include "verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "backup/selection.h"
#include "backup/verify.h"
#include "backup/verify_sample.h"
#include "commands.h"
#include "describe.h"
#include "json.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

constexpr double kSamplePercent = 10;
constexpr unsigned kSampleLimit = 10;

double percent_of(const std::string& text) {
  double percent = 0;
  const char* end = text.data() + text.size() - (text.ends_with('%') ? 1 : 0);
  const auto [stop, failure] = std::from_chars(text.data(), end, percent);
  if (failure != std::errc() || stop != end || !(percent > 0) || percent > 100)
    throw Error(ErrorCode::usage, "'--sample' takes a part such as 10%, not '" + text + "'");
  return percent;
}

CheckDepth depth_of(const VerifyOptions& options) {
  if (options.deep && options.depth && *options.depth != "deep")
    throw Error(ErrorCode::usage,
                "'--deep' and '--depth " + *options.depth + "' exclude each other");
  const std::string depth = options.deep ? "deep" : options.depth.value_or("read");
  return depth == "stat" ? CheckDepth::stat : depth == "deep" ? CheckDepth::deep : CheckDepth::read;
}

// Whose turn it is, and where.
std::vector<SampledBackup> chosen(const VerifyOptions& options, Session& session) {
  if (!options.ids.empty() && (options.all || options.sample))
    throw Error(ErrorCode::usage, "an ID goes with neither '--all' nor '--sample'");
  if (options.all && options.sample)
    throw Error(ErrorCode::usage, "'--all' and '--sample' exclude each other");
  std::vector<SampledBackup> chosen;
  for (const std::string& id : options.ids)
    chosen.push_back({wanted_backup(session, {id, {}, options.database, {}}), options.storages});
  if (!options.ids.empty()) return chosen;
  BackupFilter filter;
  filter.database = options.database;
  std::vector<BackupRecord> backups = session.catalog().backups(filter);
  std::erase_if(backups, [](const BackupRecord& backup) { return !is_whole(backup); });
  if (options.all) {
    for (BackupRecord& backup : backups) chosen.push_back({std::move(backup), options.storages});
    return chosen;
  }
  const double percent = options.sample ? percent_of(*options.sample) : kSamplePercent;
  const std::size_t limit = options.limit    ? *options.limit
                            : options.sample ? backups.size()
                                             : kSampleLimit;
  return sample_for_verify(
      backups, options.storages.empty() ? session.repository().storage_names() : options.storages,
      percent, limit);
}

void print(const VerifyResult& result, Output& output) {
  const bool good = result.good();
  output.line(fmt::format("{}  {}",
                          output.paint(good ? "good" : "BAD ", good ? Colour::good : Colour::bad),
                          printable(backup_title(result.backup))));
  for (const CopyCheck& copy : result.copies) {
    output.line(fmt::format("      {:<12} {}{}", copy.storage,
                            output.paint(to_text(copy.state), state_colour(copy.state)),
                            copy.problem.empty() ? "" : ": " + printable(copy.problem)));
  }
}

// What says how copies are checked says nothing of a test restore, and the other way round.
void require_sense(const VerifyOptions& options) {
  const auto refuse = [](bool given, const char* option, const char* with) {
    if (given) throw Error(ErrorCode::usage, std::string("'") + option + "' says nothing " + with);
  };
  if (!options.restore) {
    const char* without = "without '--restore'";
    refuse(options.newest, "--newest", without);
    refuse(options.random, "--random", without);
    refuse(options.html.has_value(), "--html", without);
    refuse(options.jobs.has_value(), "--jobs", without);
    return;
  }
  const char* with = "with '--restore'";
  refuse(options.all, "--all", with);
  refuse(options.sample.has_value(), "--sample", with);
  refuse(options.limit.has_value(), "--limit", with);
  refuse(options.depth.has_value(), "--depth", with);
  refuse(options.deep, "--deep", with);
  if (options.newest && options.random)
    throw Error(ErrorCode::usage, "'--newest' and '--random' exclude each other");
  if (!options.ids.empty() && (options.newest || options.random))
    throw Error(ErrorCode::usage, "an ID goes with neither '--newest' nor '--random'");
}

int run_verify(const VerifyOptions& options, Session& session) {
  require_sense(options);
  if (options.restore) return run_prove(options, session);
  for (const std::string& storage : options.storages) session.config().storage(storage);
  const CheckDepth depth = depth_of(options);
  const std::vector<SampledBackup> sample = chosen(options, session);
  if (sample.empty()) session.log().info("there is no backup to verify");
  Context context = session.context();
  std::vector<VerifyResult> results;
  for (const SampledBackup& each : sample)
    for (VerifyResult& result : verify(context, {{each.backup}, each.storages, depth}))
      results.push_back(std::move(result));
  const auto bad = std::count_if(results.begin(), results.end(),
                                 [](const VerifyResult& result) { return !result.good(); });
  session.set_summary(fmt::format("{} verified, {} of them not good", results.size(), bad));
  if (session.output().json())
    session.output().document(verify_json(results));
  else
    for (const VerifyResult& result : results) print(result, session.output());
  return verify_exit_code(results);
}

}  // namespace

Run declare_verify(CLI::App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  add_texts(app, "ID", options->ids, "ID",
            "which backups; without one a sample: a tenth, at most 10, longest unchecked first");
  app.add_flag("--all", options->all, "every whole backup");
  add_text(app, "--sample", options->sample, "N%", "so large a sample");
  add_count(app, "--limit", options->limit, "a sample of at most so many");
  add_text(app, "--database,--db", options->database, "DATABASE", "only backups of this database");
  add_texts(app, "--storage", options->storages, "STORAGE", "only copies in these storages");
  add_choice(app, "--depth", options->depth, "stat|read|deep",
             "stat: there, and of the right size; read (the default): SHA-256 of what is stored; "
             "deep: every seal too");
  app.add_flag("--deep", options->deep, "the same as --depth deep");
  app.add_flag("--restore", options->restore, "restore into a scratch database and prove it");
  app.add_flag("--newest", options->newest,
               "with --restore: the newest of each database (the default)");
  app.add_flag("--random", options->random, "with --restore: one whole backup at random");
  add_count(app, "--jobs", options->jobs, "with --restore: connections at once");
  add_text(app, "--html", options->html, "FILE", "with --restore: write the report to this file");
  return [options](Session& session) { return run_verify(*options, session); };
}

}  // namespace bkp
