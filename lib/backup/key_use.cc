#include "backup/key_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "backup/history_snapshot.h"
#include "backup/selection.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "catalog/catalog.h"
#include "crypto/key_changes.h"
#include "repo/layout.h"
#include "repo/manifest.h"
#include "repo/rewrap_manifest.h"
#include "storage/open_storage.h"
#include "stream/memory_stream.h"

namespace bkp {
namespace {

KeyRing keys_and(const KeyRing& rest, const MasterKey& key) {
  MasterKey standing_by = key;
  standing_by.state = KeyState::standby;
  return add_key(rest, std::move(standing_by));
}

class Search {
 public:
  Search(Repository& repository, const Uuid& id)
      : repository_(repository),
        id_(id),
        rest_(keys_without(repository.keys(), id)),
        with_(keys_and(rest_, *repository.keys().find(id))) {}

  KeyUse run() {
    for (const std::string& storage : repository_.storage_names()) {
      try {
        look_into(storage);
      } catch (const Error& error) {
        check_interrupt();
        use_.unknown.push_back(error.message());
      }
    }
    // A damaged manifest is no loss while the same backup opens elsewhere.
    for (const auto& [stem, problem] : damaged_)
      if (opens_.count(stem) == 0) use_.unknown.push_back(problem);
    return std::move(use_);
  }

 private:
  void look_into(const std::string& storage) {
    const std::string& cluster = repository_.cluster();
    if (!repository_.read_cluster_file(storage))
      throw Error(ErrorCode::failed, fmt::format("storage '{}' has no {}: is the disk mounted?",
                                                 storage, cluster_file_name(cluster)));
    const std::vector<Object> objects = repository_.storage(storage).list(cluster + "/");
    std::set<std::string> whole;
    for (const Object& object : objects)
      if (role_of(object.name) == ObjectRole::manifest) whole.insert(stem_of(object.name));
    for (const Object& object : objects) {
      check_interrupt();
      const std::string stem = stem_of(object.name);
      switch (role_of(object.name)) {
        case ObjectRole::manifest:
          look_at_manifest(storage, object.name, stem);
          break;
        case ObjectRole::heartbeat:
          if (whole.count(stem) == 0)
            use_.unknown.push_back(
                fmt::format("'{}' in '{}' is being written, or was given up", stem, storage));
          break;
        case ObjectRole::data:
          break;
        case ObjectRole::hold:  // holds, whether its key is here or not
        case ObjectRole::foreign:
          // A history of the catalog is written anew, with the key that is active then.
          if (object.name != cluster_file_name(cluster) && history_host(object.name).empty())
            look_at_header(storage, object);
      }
    }
  }

  void look_at_manifest(const std::string& storage, const std::string& name,
                        const std::string& stem) {
    const std::optional<Bytes> bytes =
        read_object(repository_.storage(storage), name, kMaxManifest);
    if (!bytes) return;  // removed meanwhile
    if (opens(as_text(*bytes), rest_)) {
      opens_.insert(stem);
    } else if (opens(as_text(*bytes), with_)) {
      use_.needed_by.push_back(fmt::format("'{}' in '{}'", stem, storage));
    } else if (may_name_key(as_text(*bytes))) {
      damaged_[stem] = fmt::format("manifest '{}' in '{}' is damaged", name, storage);
    }
  }

  static bool opens(std::string_view text, const KeyRing& keys) {
    try {
      prove_manifest_opens(text, keys);
      return true;
    } catch (const Error&) {
      check_interrupt();
      return false;
    }
  }

  // One that is sealed for others only says nothing of this key.
  bool may_name_key(std::string_view text) const {
    try {
      decode_manifest_plain(text);
      return text.find(id_.text()) != std::string_view::npos;
    } catch (const Error&) {
      return true;
    }
  }

  // An object without a manifest (a WAL segment) has its slots in its header.
  void look_at_header(const std::string& storage, const Object& object) {
    const std::unique_ptr<Source> source = repository_.storage(storage).open(
        object.name, {0, std::min<std::uint64_t>(object.size, kMaxPrefix)});
    if (!source) return;
    const Bytes start = read_all(*source, kMaxPrefix);
    std::vector<KeySlot> slots;
    try {
      slots = parse_prefix(start).slots;
    } catch (const Error& error) {
      if (object.name.ends_with(".enc"))
        use_.unknown.push_back(
            fmt::format("'{}' in '{}': {}", object.name, storage, error.message()));
      return;
    }
    if (!unwraps(rest_, slots) && unwraps(with_, slots))
      use_.needed_by.push_back(fmt::format("'{}' in '{}'", object.name, storage));
  }

  static bool unwraps(const KeyRing& keys, const std::vector<KeySlot>& slots) {
    try {
      keys.unwrap(slots);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  Repository& repository_;
  Uuid id_;
  KeyRing rest_;                                // what backups have to open by
  KeyRing with_;                                // the same, and the key in question
  std::set<std::string> opens_;                 // stems
  std::map<std::string, std::string> damaged_;  // stem → what is wrong
  KeyUse use_;
};

Error unrelated(const std::string& where, const Config& config) {
  return {ErrorCode::usage,
          fmt::format("{}, sealed with keys that a new one does not replace, and the key file is "
                      "not at '{}'",
                      where, config.key_file.string()),
          "'bkp key import FILE' brings the keys from the recovery kit or another host's key file"};
}

}  // namespace

KeyUse uses_of_key(Repository& repository, const Uuid& id, const std::vector<BackupRecord>& known) {
  KeyUse use = Search(repository, id).run();
  const std::vector<std::string> names = repository.storage_names();
  std::set<std::string> elsewhere;
  for (const BackupRecord& backup : known)
    for (const CopyRecord& copy : backup.copies)
      if (copy.state == CopyState::good &&
          std::find(names.begin(), names.end(), copy.storage) == names.end())
        elsewhere.insert(copy.storage);
  for (const std::string& storage : elsewhere)
    use.unknown.push_back(fmt::format(
        "the catalog knows copies in storage '{}', which the configuration does not have",
        storage));
  return use;
}

void refuse_unrelated_key(const Config& config) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (!config.catalog_url.starts_with(kSqlite) ||
      std::filesystem::exists(config.catalog_url.substr(kSqlite.size()))) {
    const std::vector<BackupRecord> known =
        Catalog(open_sql_database(config.catalog_url)).backups({});
    if (std::any_of(known.begin(), known.end(), is_whole))
      throw unrelated("the catalog knows backups", config);
  }
  for (const StorageConfig& storage : config.storages) {
    if (storage.type == StorageType::local && !std::filesystem::exists(storage.path)) continue;
    std::vector<Object> objects;
    try {
      objects = open_storage(storage)->list(config.cluster + "/");
    } catch (const Error& error) {
      check_interrupt();
      throw Error(ErrorCode::usage,
                  fmt::format("it cannot be told whether storage '{}' holds backups, which a new "
                              "key would not open: {}",
                              storage.name, error.message()),
                  "'bkp key generate --key-file FILE' makes a key elsewhere");
    }
    for (const Object& object : objects)
      if (object.name.ends_with(".enc") || role_of(object.name) == ObjectRole::manifest)
        throw unrelated(fmt::format("storage '{}' holds backups", storage.name), config);
  }
}

}  // namespace bkp
