// The difference of a backup, restored into a scratch database, and a live one: taken, looked at,
// and applied.
#pragma once

#include <map>
#include <string>

#include "base/log.h"
#include "pg/connection.h"
#include "recovery/merge.h"
#include "repo/manifest.h"
#include "tenant/staged_checks.h"

namespace bkp {

class MergeDifference {
 public:
  // Opens sessions in both databases; `request` must outlive this.
  MergeDifference(const std::string& then, const std::string& now, const MergeRequest& request,
                  Log& log);

  // Takes the difference, table by table, and stages what is to be written in temporary tables.
  // Nothing else is written.
  MergeReport look(const Manifest& manifest);
  // Writes it in one transaction and proves, before it commits, that foreign keys hold, that what
  // was written is as staged, and that no other row was touched. Fills in what was written.
  void apply(MergeReport& report);

 private:
  MergedTable look_at(const ManifestTable& rows, std::size_t then_index);
  void stage(MergedTable& result, const TableShape& then, std::size_t index, TableMatch match,
             std::uint64_t rows);
  void find_obstacles(MergeReport& report);
  void find_triggers(MergeReport& report);
  MergedTable* merged(MergeReport& report, std::size_t index);

  void prepare_writing(const MergeReport& report);
  void look_again(MergeReport& report);
  void prove(const std::map<std::size_t, RowsWritten>& written);
  void prove_untouched(const std::map<std::size_t, RowsWritten>& written);

  const MergeRequest& request_;
  Log& log_;
  PgConnection then_, now_, writer_;
  DatabaseShape then_shape_, now_shape_;
  StagedTables staged_;                                 // with rows to write
  std::map<std::size_t, std::size_t> index_in_report_;  // by live table
};

}  // namespace bkp
