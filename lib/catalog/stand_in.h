// What keeps a run's records while the catalog's server is away, so that a backup is made all the
// same: a private SQLite file of the run's own, handed over by the first run that finds the server.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "catalog/catalog.h"

namespace bkp {

// Where a run of this process keeps its own: STATE_DIR/CLUSTER-unsent-PID.db.
std::filesystem::path stand_in_file(const std::filesystem::path& state_dir,
                                    const std::string& cluster);

struct StandInOptions {
  std::filesystem::path file;
  std::string name;                                   // of the catalog, for messages
  std::function<void(const Error& reason)> switched;  // called once, when the file takes over
};

// The database of `open` until it is CatalogUnreachable, then an empty one in the file, which knows
// only what was written since. Where `open` itself throws that, from the start.
std::unique_ptr<SqlDatabase> with_stand_in(
    const std::function<std::unique_ptr<SqlDatabase>()>& open, StandInOptions options);

// Writes what the file holds into the catalog, all or nothing, then removes it. What the catalog
// calls DELETED stays so. Returns how many backups and runs there were.
std::size_t hand_over(const std::filesystem::path& file, Catalog& to);

// Files of runs of this cluster on this host that have ended.
std::vector<std::filesystem::path> left_stand_ins(const std::filesystem::path& state_dir,
                                                  const std::string& cluster);

}  // namespace bkp
