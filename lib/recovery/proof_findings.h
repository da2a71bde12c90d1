// Judging what was found in a restored database by what was known of its source.
#pragma once

#include <optional>
#include <vector>

#include "backup/coverage.h"
#include "pg/foreign_key_check.h"
#include "pg/index_check.h"
#include "pg/soundness.h"
#include "recovery/compare.h"
#include "recovery/proof_report.h"

namespace bkp {

// Each adds what it found to `findings`, or that all is well. `source`: what the manifest says of
// the database that was dumped; nothing in backups of older versions, which is told then.
void judge_rows(const Comparison& comparison, std::size_t tables, const Coverage& coverage,
                ProofFindings& findings);
void judge_objects(const std::optional<Soundness>& source, const Soundness& found,
                   const Coverage& coverage, ProofFindings& findings);
void judge_constraints(const std::optional<Soundness>& source, const Soundness& found,
                       ProofFindings& findings);
void judge_foreign_keys(const std::optional<Soundness>& source,
                        const std::vector<ForeignKeyCheck>& checks, ProofFindings& findings);
void judge_indexes(const std::optional<Soundness>& source, const Soundness& found,
                   const IndexChecks& checks, ProofFindings& findings);
void judge_sequences(const std::optional<Soundness>& source, const Soundness& found,
                     ProofFindings& findings);

}  // namespace bkp
