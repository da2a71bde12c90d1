// A whole object in memory, opened from its first byte to its last as bkp-container(5) tells a
// reader to: strict, sequential, in one thread. What tests compare faster readers with.
#pragma once

#include <optional>
#include <span>

#include "crypto/container.h"

namespace bkp {

// → the plain bytes. `slots`: a manifest's, which win over the object's own. Throws
// Error(integrity), or Error(failed) when the key of no slot is in `keys`.
Bytes open_container(ByteView object, const KeyRing& keys,
                     std::optional<std::span<const KeySlot>> slots = std::nullopt);

}  // namespace bkp
