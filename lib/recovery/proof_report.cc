#include "recovery/proof_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "catalog/record_json.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

const char* outcome_of(const ProofReport& report) {
  if (report.proved()) return "PROVED";
  return report.error->code() == ErrorCode::integrity ? "FAULTY" : "FAILED";
}

}  // namespace

bool ProofReport::looked_into() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const ProofFinding& finding) { return finding.check == "restore"; });
}

std::size_t count(const ProofFindings& findings, ProofLevel level) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [level](const ProofFinding& finding) { return finding.level == level; }));
}

std::string_view to_text(ProofLevel level) {
  switch (level) {
    case ProofLevel::ok:
      return "ok";
    case ProofLevel::warning:
      return "warning";
    case ProofLevel::failed:
      break;
  }
  return "failed";
}

int proof_exit_code(const std::vector<ProofReport>& reports) {
  int code = 0;
  for (const ProofReport& report : reports) {
    if (report.proved()) continue;
    if (report.error->code() == ErrorCode::integrity) return static_cast<int>(ErrorCode::integrity);
    if (code == 0) code = static_cast<int>(report.error->code());
  }
  return code;
}

Json details_json(const ProofReport& report) {
  Json findings = Json::array();
  for (const ProofFinding& finding : report.findings)
    findings.push_back({{"level", to_text(finding.level)},
                        {"check", finding.check},
                        {"object", valid_utf8(finding.object)},
                        {"text", valid_utf8(finding.text)}});
  return {{"outcome", outcome_of(report)},
          {"database", valid_utf8(report.backup.database)},
          {"server", report.server},
          {"warnings", count(report.findings, ProofLevel::warning)},
          {"failures", count(report.findings, ProofLevel::failed)},
          {"findings", std::move(findings)}};
}

Json to_json(const ProofReport& report) {
  Json proof = to_json(report.record);
  proof.erase("details");
  proof.update(details_json(report));
  if (report.error)
    proof["failure"] = {{"code", static_cast<int>(report.error->code())},
                        {"message", valid_utf8(report.error->message())},
                        {"hint", valid_utf8(report.error->hint())}};
  else
    proof["failure"] = nullptr;
  Json json = to_json(report.backup);
  json["proof"] = std::move(proof);
  return json;
}

}  // namespace bkp
