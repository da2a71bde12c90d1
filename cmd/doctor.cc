#include "monitor/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "commands.h"
#include "json.h"
#include "session.h"

namespace bkp {
namespace {

struct DoctorOptions {
  bool problems = false;
};

// `broken`: the configuration is, so that nothing else could be looked at.
Findings examine_session(Session& session, bool& broken) {
  Findings findings;
  try {
    const Config& config = session.config();
    findings.push_back({FindingLevel::ok, "configuration", "'" + config.file.string() + "'", ""});
    const Findings more = examine(config, session.clock());
    findings.insert(findings.end(), more.begin(), more.end());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) throw;
    broken = true;
    findings.push_back({FindingLevel::fail, "configuration", error.message(), error.hint()});
  }
  return findings;
}

void print(const Finding& finding, Output& output) {
  const bool ok = finding.level == FindingLevel::ok;
  const bool warns = finding.level == FindingLevel::warn;
  const std::string level = output.paint(ok      ? "ok  "
                                         : warns ? "WARN"
                                                 : "FAIL",
                                         ok      ? Colour::good
                                         : warns ? Colour::warn
                                                 : Colour::bad);
  output.line(fmt::format("{}  {}: {}", level, finding.subject, printable(finding.message)));
  std::istringstream cure(finding.cure);
  for (std::string line; std::getline(cure, line);) output.line("        " + printable(line));
}

int run_doctor(const DoctorOptions& options, Session& session) {
  bool broken = false;
  Findings findings = examine_session(session, broken);
  const auto count = [&findings](FindingLevel level) {
    return std::count_if(findings.begin(), findings.end(),
                         [level](const Finding& finding) { return finding.level == level; });
  };
  const auto failed = count(FindingLevel::fail);
  const auto warned = count(FindingLevel::warn);
  if (options.problems)
    std::erase_if(findings, [](const Finding& f) { return f.level == FindingLevel::ok; });
  if (session.output().json()) {
    session.output().document(findings_json(findings));
  } else {
    for (const Finding& finding : findings) print(finding, session.output());
    session.output().line(failed > 0   ? fmt::format("{} failed, {} to look at", failed, warned)
                          : warned > 0 ? fmt::format("ready, {} to look at", warned)
                                       : "ready");
  }
  return failed == 0 ? 0 : broken ? 2 : 1;
}

}  // namespace

Run declare_doctor(CLI::App& app) {
  const auto options = std::make_shared<DoctorOptions>();
  app.add_flag("--problems", options->problems, "only what is not well");
  return [options](Session& session) { return run_doctor(*options, session); };
}

}  // namespace bkp
