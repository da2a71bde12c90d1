// A database's soundness as the JSON that manifests carry in `details`, under the key "soundness".
#pragma once

#include <optional>

#include "pg/soundness.h"
#include "repo/manifest.h"

namespace bkp {

// Beside what `details` holds already.
void put_soundness(Manifest& manifest, const Soundness& soundness);
// Nothing for a backup of an older bkp. Throws Error(integrity) for what put_soundness did not
// write.
std::optional<Soundness> soundness_of(const Manifest& manifest);

}  // namespace bkp
