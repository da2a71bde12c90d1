// A configuration snapshot as a stream: what was found on the host and what the server says, as one
// tar archive.
#pragma once

#include <memory>
#include <optional>

#include "backup/file_content.h"
#include "backup/file_scan.h"
#include "backup/secret_seal.h"
#include "backup/server_state.h"
#include "backup/store.h"

namespace bkp {

// All that a snapshot is made of, before it is read.
struct ConfigurationPlan {
  ScanResult scan;
  ServerState server;
  std::optional<KeyRing> secret_keys;  // none: files that are secret are left out
  std::vector<Secret> forbidden;       // texts of bkp's keys: a file with one in it is left out
  // Files that were seen to change under a run that streamed them: left out.
  std::vector<std::string> unsteady;
};

// What a snapshot taken now holds, reading every file and storing none: digests and proofs are as
// those of a stored one, sizes and digests of sealed files are not. Memory is bounded.
Configuration survey(const ConfigurationPlan& plan, TimePoint now);

// What came of a stream; filled while it is read.
struct ConfigurationOutcome {
  Configuration configuration;
  // A large file that changed while it was in the stream, which failed for it.
  std::optional<std::string> changed;
};

class ConfigurationSource final : public BackupStream {
 public:
  // References live as long as the source. `begun`: whose snapshot it is.
  ConfigurationSource(const ConfigurationPlan& plan, const Manifest& begun, Suite suite,
                      WorkerPool& pool, ConfigurationOutcome& outcome);
  ~ConfigurationSource() override;

  std::size_t read(std::span<std::byte> out) override;
  void describe(Manifest& manifest) const override;
  std::string current_part() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
