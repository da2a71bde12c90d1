// Takes the backups that storages hold and a catalog does not know into that catalog: how a new
// host begins after the old one was lost.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backup/context.h"

namespace bkp {

struct AdoptResult {
  std::size_t adopted = 0;
  std::vector<std::string> problems;  // storages that did not answer, manifests that do not open
};

// Every manifest in every storage; a copy counts as good until a check says otherwise. Backups that
// the catalog knows stay as they are. Opens no data object.
AdoptResult adopt_backups(Context& context);

}  // namespace bkp
