// Takes backups that storages hold and a catalog does not know into that catalog, wherever they are
// met: on a new host, after a run that was killed, when another host made them, when a catalog is
// built anew.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/context.h"
#include "repo/inventory.h"

namespace bkp {

struct AdoptRequest {
  std::vector<std::string> storages;                    // empty: all
  std::optional<BackupType> type;                       // these alone
  std::function<bool(const std::string& stem)> wanted;  // these alone; empty: every one
};

struct AdoptResult {
  std::size_t adopted = 0;
  std::vector<std::string> problems;  // storages that did not answer, manifests that do not open
  Inventory inventory;                // what was found where
};

// Lists the storages and reads the manifests of what is unknown. A copy counts as good until a
// check says otherwise. Backups that the catalog knows stay as they are, but for copies and holds
// it did not know; one that it takes for unfinished or failed while its manifest is there is whole.
AdoptResult adopt_backups(Context& context, const AdoptRequest& request = {});

// The stems that "1a2b3c4d", a whole UUID or a file name can mean; false for shorter beginnings.
bool may_mean(std::string_view id_or_name, const std::string& stem);

}  // namespace bkp
