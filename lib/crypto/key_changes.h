// What may become of the keys of a key file: pure, and refused where a backup could be lost by it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/key.h"

namespace bkp {

// The key whose id is, or begins with, this text. Throws Error(usage): none, or several.
const MasterKey& find_key(const KeyRing& keys, std::string_view id);

KeyRing add_key(const KeyRing& keys, MasterKey key);  // as it is; an active one must be the first
// That key is the active one; the one that was stands by. Throws Error(usage) for a retired key.
KeyRing activate_key(const KeyRing& keys, const Uuid& id);
// Throws Error(usage) for the active key and for escrow keys (`escrow`).
KeyRing retire_key(const KeyRing& keys, const Uuid& id, const std::vector<Uuid>& escrow);
// The key is not in the file any more. Throws as retire_key() does.
KeyRing erase_key(const KeyRing& keys, const Uuid& id, const std::vector<Uuid>& escrow);

struct ImportedKeys {
  KeyRing keys;
  std::vector<Uuid> added;  // those that were not there
};
// `more` beside `keys`, standing by. Throws Error(usage) for a key that is there with another
// secret.
ImportedKeys import_keys(const KeyRing& keys, const std::vector<MasterKey>& more);
// The same where there is no key file yet: the active one of `more` stays active, or the only one
// becomes it. Throws Error(usage) where neither is.
KeyRing first_keys(std::vector<MasterKey> more);

// The keys but for that one and all that are retired: what a backup must open by before it can be
// done without. `id` is not the active key.
KeyRing keys_without(const KeyRing& keys, const Uuid& id);

}  // namespace bkp
