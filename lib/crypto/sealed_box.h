// A small message sealed whole: AES-256-GCM under a random nonce. For the sealed part of manifests;
// bulk data goes into containers.
#pragma once

#include "base/bytes.h"
#include "crypto/key.h"

namespace bkp {

// nonce (12 bytes), ciphertext, tag (16 bytes). `context` is authenticated, not stored.
Bytes seal_box(const Key256& key, ByteView plain, ByteView context);
// The reverse. Throws Error(integrity) when it does not open.
Bytes open_box(const Key256& key, ByteView sealed, ByteView context);

}  // namespace bkp
