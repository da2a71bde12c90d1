// Keys: the master keys of the key file, the random key of one object, and how one wraps the other.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
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
  // Throws Error(usage) unless just one is active. `file`: what messages call where they are from.
  explicit KeyRing(std::vector<MasterKey> keys, std::string file = {});

  const std::vector<MasterKey>& keys() const { return keys_; }
  const std::string& file() const { return file_; }
  const MasterKey& active() const;              // throws Error(usage) for an empty ring
  const MasterKey* find(const Uuid& id) const;  // null: not in the file

  // The same keys; what is sealed from now on opens by each of these keys as well.
  KeyRing with_escrow(std::vector<Uuid> ids) const;
  // Those that what is sealed now opens by: the active key, then the escrow keys. Throws
  // Error(usage) for an escrow key that is not in the file, or is retired.
  std::vector<Uuid> recipients() const;

  // A slot under the active key.
  KeySlot wrap(const Key256& key) const;
  // A slot under that key, which must be here.
  KeySlot wrap_for(const Uuid& id, const Key256& key) const;
  // A slot for each of recipients().
  std::vector<KeySlot> slots_for(const Key256& key) const;
  // Tries each slot whose key is here. Throws Error(integrity) when a slot is damaged or not of
  // this key, Error(failed) naming the ids when no key is here.
  Key256 unwrap(std::span<const KeySlot> slots) const;

 private:
  std::string from() const;  // " 'FILE'"

  std::vector<MasterKey> keys_;
  std::vector<Uuid> escrow_;
  std::string file_;
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
// Reads the file, writes what `change` makes of it in its place (an owner and a symbolic link stay
// what they are), and returns that. Two at once wait for each other, and neither's keys are lost;
// however one ends, the old file or the new one is there.
KeyRing change_key_file(const std::filesystem::path& path,
                        const std::function<KeyRing(const KeyRing&)>& change);

// Keys on their way from one file to another, whichever of them is active. Throw as the above do.
std::vector<MasterKey> parse_keys(std::string_view text, std::string_view name);
std::vector<MasterKey> load_keys(const std::filesystem::path& path);
Secret key_file_text(std::span<const MasterKey> keys);

std::string_view key_state_name(KeyState state);  // "active", "standby", "retired"

// A new random master key.
MasterKey generate_master_key(KeyState state, TimePoint now);

}  // namespace bkp
