// Key slots added to a manifest that is there: how keys rotate without touching data.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/key.h"

namespace bkp {

// The manifest with a slot for each of keys.recipients(), in it and for every object of it;
// nullopt: it has them all. Slots that are there stay first and as they are, the sealed part stays
// as it is: what opened it before opens it afterwards. Throws as decode_manifest() does.
std::optional<std::string> rewrap_manifest(std::string_view text, const KeyRing& keys);

// Throws as decode_manifest() does, and for a key of an object that does not open.
void prove_manifest_opens(std::string_view text, const KeyRing& keys);

}  // namespace bkp
