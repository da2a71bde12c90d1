#include "crypto/key_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "crypto/digest.h"

namespace bkp {
namespace {

std::vector<MasterKey> without(std::vector<MasterKey> keys, const Uuid& id) {
  std::erase_if(keys, [&id](const MasterKey& key) { return key.id == id; });
  return keys;
}

void refuse_used(const KeyRing& keys, const Uuid& id, const std::vector<Uuid>& escrow) {
  if (keys.active().id == id)
    throw Error(
        ErrorCode::usage,
        fmt::format("key '{}' is the active one: new backups are sealed with it", id.text()),
        "make another one active first: 'bkp key rotate --rewrap'");
  if (std::find(escrow.begin(), escrow.end(), id) != escrow.end())
    throw Error(
        ErrorCode::usage,
        fmt::format("key '{}' is an escrow key: also_for in [encryption] names it", id.text()),
        "take it out of also_for first");
}

}  // namespace

const MasterKey& find_key(const KeyRing& keys, std::string_view id) {
  const MasterKey* found = nullptr;
  for (const MasterKey& key : keys.keys()) {
    if (id.empty() || !key.id.text().starts_with(id)) continue;
    if (found != nullptr)
      throw Error(
          ErrorCode::usage,
          fmt::format("'{}' could be key '{}' or key '{}'", id, found->id.text(), key.id.text()),
          "write more of it");
    found = &key;
  }
  if (found == nullptr)
    throw Error(ErrorCode::usage, fmt::format("there is no key '{}' in the key file", id),
                "'bkp key list' shows those that there are");
  return *found;
}

KeyRing add_key(const KeyRing& keys, MasterKey key) {
  std::vector<MasterKey> all = keys.keys();
  all.push_back(std::move(key));
  return KeyRing(std::move(all), keys.file());
}

KeyRing activate_key(const KeyRing& keys, const Uuid& id) {
  std::vector<MasterKey> all = keys.keys();
  for (MasterKey& key : all) {
    if (key.id == id && key.state == KeyState::retired)
      throw Error(ErrorCode::usage, fmt::format("key '{}' is retired", id.text()),
                  "'bkp key rotate' makes a new one");
    if (key.id == id)
      key.state = KeyState::active;
    else if (key.state == KeyState::active)
      key.state = KeyState::standby;
  }
  return KeyRing(std::move(all), keys.file());
}

KeyRing retire_key(const KeyRing& keys, const Uuid& id, const std::vector<Uuid>& escrow) {
  refuse_used(keys, id, escrow);
  std::vector<MasterKey> all = keys.keys();
  for (MasterKey& key : all)
    if (key.id == id) key.state = KeyState::retired;
  return KeyRing(std::move(all), keys.file());
}

KeyRing erase_key(const KeyRing& keys, const Uuid& id, const std::vector<Uuid>& escrow) {
  refuse_used(keys, id, escrow);
  return KeyRing(without(keys.keys(), id), keys.file());
}

ImportedKeys import_keys(const KeyRing& keys, const std::vector<MasterKey>& more) {
  std::vector<MasterKey> all = keys.keys();
  std::vector<Uuid> added;
  for (MasterKey key : more) {
    if (const MasterKey* const known = keys.find(key.id)) {
      if (!equal_digests(known->secret.reveal(), key.secret.reveal()))
        throw Error(ErrorCode::usage,
                    fmt::format("key '{}' is in the key file with another secret", key.id.text()),
                    "one of the two was changed: compare them with the recovery kit");
      continue;
    }
    if (key.state == KeyState::active) key.state = KeyState::standby;
    added.push_back(key.id);
    all.push_back(std::move(key));
  }
  return {KeyRing(std::move(all), keys.file()), std::move(added)};
}

KeyRing first_keys(std::vector<MasterKey> more) {
  if (more.size() == 1) more.front().state = KeyState::active;
  return KeyRing(std::move(more));
}

KeyRing keys_without(const KeyRing& keys, const Uuid& id) {
  std::vector<MasterKey> rest = without(keys.keys(), id);
  std::erase_if(rest, [](const MasterKey& key) { return key.state == KeyState::retired; });
  return KeyRing(std::move(rest), keys.file());
}

}  // namespace bkp
