#include "backup/rewrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "repo/layout.h"
#include "repo/manifest.h"
#include "repo/rewrap_manifest.h"

namespace bkp {
namespace {

class Rewrap {
 public:
  Rewrap(Repository& repository, Log& log, Doing doing)
      : repository_(repository), log_(log), doing_(doing) {}

  RewrapResult run() {
    repository_.keys().recipients();  // a wrong also_for is told before anything is read
    for (const std::string& storage : repository_.storage_names())
      attempt(storage, "", [&] { find_manifests(storage); });
    result_.backups = stems_.size();
    std::size_t done = 0;
    for (const auto& [stem, storages] : stems_) {
      check_interrupt();
      log_.progress("rewrap", done++, stems_.size());
      rewrap(stem, storages);
    }
    return std::move(result_);
  }

 private:
  // What a backup's manifest is to be, and what each storage has now.
  struct Target {
    std::string text;
    bool complete = false;  // it was there so
    Manifest manifest;
    std::map<std::string, Digest256> copies;
  };

  // One storage that fails keeps no other from being done, and is asked no more in this run.
  template <typename Work>
  void attempt(const std::string& storage, const std::string& object, Work work) {
    if (silent_.count(storage) > 0) return;
    try {
      work();
    } catch (const StorageUnreachable& error) {
      check_interrupt();
      silent_.insert(storage);
      result_.problems.push_back(error.message());
    } catch (const Error& error) {
      check_interrupt();
      result_.problems.push_back(
          object.empty() ? error.message()
                         : fmt::format("'{}' in '{}': {}", object, storage, error.message()));
    }
  }

  void find_manifests(const std::string& storage) {
    if (!repository_.read_cluster_file(storage))
      throw Error(ErrorCode::failed,
                  fmt::format("storage '{}' has no {}: is the disk mounted?", storage,
                              cluster_file_name(repository_.cluster())));
    for (const Object& object : repository_.storage(storage).list(repository_.cluster() + "/"))
      if (role_of(object.name) == ObjectRole::manifest)
        stems_[stem_of(object.name)].push_back(storage);
  }

  void rewrap(const std::string& stem, const std::vector<std::string>& storages) {
    Target target;
    for (const std::string& storage : storages)
      attempt(storage, manifest_name(stem), [&] { look_at(stem, storage, target); });
    bool changed = false;
    for (const auto& [storage, digest] : target.copies) {
      if (digest == sha256(as_bytes(target.text))) continue;
      changed = true;
      if (doing_ == Doing::only_tell) continue;
      attempt(storage, manifest_name(stem), [&, &in = storage] { replace(stem, in, target); });
    }
    if (changed) ++result_.changed;
  }

  void look_at(const std::string& stem, const std::string& storage, Target& target) {
    const auto bytes = read_object(repository_.storage(storage), manifest_name(stem), kMaxManifest);
    if (!bytes) return;  // removed meanwhile
    const std::string_view text = as_text(*bytes);
    const std::optional<std::string> made = rewrap_manifest(text, repository_.keys());
    Manifest manifest = decode_manifest_plain(text);
    if (manifest.objects.empty() || stem_of(manifest.objects.front().name) != stem ||
        (!target.copies.empty() &&
         (manifest.id != target.manifest.id || manifest.checksum() != target.manifest.checksum())))
      throw Error(ErrorCode::integrity, "it is another backup's");
    target.copies[storage] = sha256(as_bytes(text));
    // The one with the most slots is right for all: another run may have been cut off in the
    // middle.
    const bool better = target.text.empty() || (!made && !target.complete) ||
                        (target.complete == !made && text.size() > target.text.size());
    if (!better) return;
    target.text = made ? *made : std::string(text);
    target.complete = !made;
    target.manifest = std::move(manifest);
  }

  // A backup that is removed meanwhile, by another host, does not come back as a manifest alone.
  void replace(const std::string& stem, const std::string& storage, const Target& target) {
    Storage& to = repository_.storage(storage);
    const std::string& data = target.manifest.objects.front().name;
    if (!stat_object(to, data))
      throw Error(ErrorCode::failed, fmt::format("its data '{}' is missing", data));
    write_object(to, manifest_name(stem), as_bytes(target.text), IfExists::replace);
    if (!stat_object(to, data)) {
      to.remove(std::vector{manifest_name(stem)});
      throw Error(ErrorCode::failed, "it was removed meanwhile");
    }
    ++result_.written;
  }

  Repository& repository_;
  Log& log_;
  Doing doing_;
  std::map<std::string, std::vector<std::string>> stems_;  // → storages that have its manifest
  std::set<std::string> silent_;
  RewrapResult result_;
};

}  // namespace

RewrapResult rewrap_backups(Repository& repository, Log& log, Doing doing) {
  return Rewrap(repository, log, doing).run();
}

}  // namespace bkp
