// Files that are sealed a second time, each a container of its own (bkp-container(5)) under the
// keys of the secrets key file, so that who restores a snapshot need not be who may read its
// secrets.
#pragma once

#include <string_view>

#include "backup/configuration.h"
#include "base/bytes.h"
#include "crypto/container.h"
#include "crypto/key.h"
#include "stream/worker_pool.h"

namespace bkp {

// The largest that can be sealed: it is done in memory.
inline constexpr std::uint64_t kLargestSecret = std::uint64_t{16} << 20;

// Which snapshot a sealed file is of: another's does not open in its place.
struct SecretPlace {
  Uuid cluster;
  Uuid backup;
  std::string_view path;  // in the archive, plain
};

Bytes seal_secret(const SecretPlace& place, ByteView plain, const KeyRing& keys, Suite suite,
                  WorkerPool& pool);
// The reverse. Throws Error(integrity), and Error(failed) when none of the keys is here.
Bytes open_secret(const SecretPlace& place, ByteView sealed, const KeyRing& keys);

// Under the active key; under the key of `of` (nullopt: it is not here).
SecretProof prove_secret(ByteView plain, const KeyRing& keys);
std::optional<SecretProof> prove_secret_again(ByteView plain, const KeyRing& keys,
                                              const SecretProof& of);

}  // namespace bkp
