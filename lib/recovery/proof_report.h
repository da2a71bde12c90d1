// What a test restore found: told on screen, as JSON, as HTML, and kept in the catalog.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "catalog/records.h"

namespace bkp {

enum class ProofLevel {
  ok,
  warning,  // the source had it too, or it could not be looked into
  failed,   // the restore brought it
};

struct ProofFinding {
  ProofLevel level = ProofLevel::ok;
  std::string check;  // "rows", "objects", "constraints", "foreign keys", "indexes", "sequences", …
  std::string object;  // "public.orders", or empty: all of them
  std::string text;
  friend bool operator==(const ProofFinding&, const ProofFinding&) = default;
};
using ProofFindings = std::vector<ProofFinding>;

struct ProofReport {
  BackupRecord backup;  // as the catalog has it afterwards
  RestoreRecord record;
  std::string server;  // "PostgreSQL 15.20": where it was restored
  ProofFindings findings;
  std::optional<Error> error;  // why it is not proved
  bool proved() const { return !error; }
  // It came to be looked into, whatever was found.
  bool looked_into() const;
};

std::size_t count(const ProofFindings& findings, ProofLevel level);

// "ok", "warning", "failed"
std::string_view to_text(ProofLevel level);

// 0 when all were proved, warnings or not; 4 when a restore brought a fault; else the code of the
// first that could not be tried.
int proof_exit_code(const std::vector<ProofReport>& reports);

// "outcome" (PROVED, FAULTY, FAILED), "server", "warnings", "failures" and "findings": what the
// catalog keeps of it.
nlohmann::ordered_json details_json(const ProofReport& report);
// The backup with "proof": the record of the restore and all of the above.
nlohmann::ordered_json to_json(const ProofReport& report);

// One page that needs no other, for whoever must show that backups can be restored.
std::string proof_html(const std::vector<ProofReport>& reports, const std::string& cluster,
                       TimePoint now);

}  // namespace bkp
