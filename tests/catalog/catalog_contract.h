// What every catalog holds to, whatever database it lives in. Each function is the body of a test
// case; `open` gives a further connection to one and the same database, empty at first.
#pragma once

#include <functional>
#include <memory>

#include "catalog/catalog.h"

namespace bkp::test {

using OpenDatabase = std::function<std::unique_ptr<SqlDatabase>()>;

void check_schema(const OpenDatabase& open);
void check_backups(const OpenDatabase& open);
void check_filters(const OpenDatabase& open);
void check_find(const OpenDatabase& open);
void check_history(const OpenDatabase& open);
void check_alerts(const OpenDatabase& open);
void check_transactions(const OpenDatabase& open);
void check_processes(const OpenDatabase& open);

// A backup with every field set, made `minutes` after a fixed moment.
BackupRecord sample_backup(const std::string& id, int minutes = 0);

}  // namespace bkp::test
