// The catalog's history in the storages: written after what changed backups and daily, the newest
// few of each host kept, taken up where a catalog is built anew.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backup/context.h"

namespace bkp {

inline constexpr std::size_t kHistorySnapshots = 3;  // kept of each host

// Writes one to every storage that answers, and removes this host's older ones there, when backups
// holds or the active key have changed since this host's last or it is a day old; else asks no
// storage. Trouble is told in the log and tried again by the next run: it fails no command.
void keep_history(Context& context);

struct HistoryTaken {
  std::size_t records = 0;
  std::vector<std::string> problems;  // snapshots that do not open, storages that do not answer
};

// Of each host that wrote any, the newest that opens, from whichever of the storages (none named:
// of all) has it; merged into the catalog by ids.
HistoryTaken take_history(Context& context, const std::vector<std::string>& storages = {});

// "shop/catalog/": where they are; "…catalog_20261120_020000.123456_db1_1a2b3c4d.jsonl.gz.enc".
std::string history_prefix(std::string_view cluster);
std::string history_name(std::string_view cluster, TimePoint taken, std::string_view host,
                         const Uuid& id);
// The host of such a name; empty: it is none.
std::string history_host(std::string_view name);

}  // namespace bkp
