// pg_dump of one database as a Source: found, allowed, started in one snapshot with what is read
// about the database beside it.
#pragma once

#include <memory>
#include <string>

#include "backup/store.h"

namespace bkp {

class DumpSource final : public BackupStream {
 public:
  // Connects, refuses (with the cure) a role that cannot see everything, exports a snapshot, reads
  // the database's properties and the cluster's globals in it and starts the pg_dump of the
  // server's major version.
  DumpSource(const Context& context, const std::string& database);
  ~DumpSource() override;

  // The archive. 0 only after pg_dump ended with exit status 0.
  std::size_t read(std::span<std::byte> out) override;

  // Fills what the manifest says of the source: versions, properties, globals, and (once read()
  // returned 0) tables and large objects.
  void describe(Manifest& manifest) const override;
  std::vector<std::string> shortcomings() const override;
  std::string current_part() const override;  // the table

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
