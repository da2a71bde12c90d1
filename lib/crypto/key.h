// Keys: the master keys of the key file, the random key of one object, and how one wraps the other.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "base/uuid.h"

namespace bkp {

using Key256 = Secret;  // always 32 bytes

// HKDF-SHA256 (RFC 5869), no salt, `label` as info, 32 bytes out. Labels are listed in
// bkp-container(5); two uses never share a label.
Key256 derive_key(const Key256& master, std::string_view label);

// 32 bytes from the kernel's generator.
Key256 random_key();

enum class SlotType : std::uint8_t { aes256_master = 1, x25519 = 2 /* reserved */ };

// One way to a wrapped key: AES Key Wrap (RFC 3394) under the master key's wrapping key.
struct KeySlot {
  SlotType type = SlotType::aes256_master;
  Uuid key_id;
  Bytes wrapped;  // 40 bytes for aes256_master
  friend bool operator==(const KeySlot&, const KeySlot&) = default;
};

enum class KeyState { active, standby, retired };

struct MasterKey {
  Uuid id;
  KeyState state = KeyState::active;
  TimePoint created_at;
  Key256 secret;
};

// The key file's content. Immutable once loaded; reading it is thread-safe.
class KeyRing {
 public:
  KeyRing() = default;
  explicit KeyRing(std::vector<MasterKey> keys);  // throws Error(usage) unless just one is active

  const std::vector<MasterKey>& keys() const { return keys_; }
  const MasterKey& active() const;              // throws Error(usage) for an empty ring
  const MasterKey* find(const Uuid& id) const;  // null: not in the file

  // A slot under the active key.
  KeySlot wrap(const Key256& key) const;
  // Tries each slot whose key is here. Throws Error(integrity) when a slot is damaged or not of
  // this key, Error(failed) naming the ids when no key is here.
  Key256 unwrap(std::span<const KeySlot> slots) const;

 private:
  std::vector<MasterKey> keys_;
};

// TOML: [[key]] id, state, created_at, secret (base64). The file must belong to this user or root
// and be closed to everybody else. Throws Error(usage) with the chmod that cures it.
KeyRing load_key_file(const std::filesystem::path& path);
// The text of such a file; `name` is what messages call it. Throws Error(usage) naming the line,
// never showing a secret.
KeyRing parse_key_file(std::string_view text, std::string_view name);
// Mode 0600, atomically. Never overwrites a file that is there unless `replace`.
enum class KeyFileMode { create_new, replace };
void save_key_file(const std::filesystem::path& path, const KeyRing& keys, KeyFileMode mode);

// A new random master key.
MasterKey generate_master_key(KeyState state, TimePoint now);

}  // namespace bkp
