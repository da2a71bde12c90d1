// A small text as one container (bkp-container(5)), sealed and opened whole in memory: no manifest
// stands beside it, its own key slots open it.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "crypto/container.h"
#include "crypto/key.h"
#include "stream/codec.h"
#include "stream/worker_pool.h"

namespace bkp {

// `header`: suite, cluster, backup and name are the caller's; codec and frame size are set here.
Bytes seal_object(ContainerHeader header, const Compression& compression, const KeyRing& keys,
                  WorkerPool& pool, ByteView plain);

// Throws Error(integrity) for what is damaged, too large, or an object of another name or cluster;
// Error of KeyRing::unwrap where no key opens it.
Bytes open_object(ByteView stored, std::string_view name, const Uuid& cluster, const KeyRing& keys,
                  std::size_t limit);

}  // namespace bkp
