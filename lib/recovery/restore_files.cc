#include "recovery/restore_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>

#include "backup/config_diff.h"
#include "backup/configuration.h"
#include "backup/secret_seal.h"
#include "backup/selection.h"
#include "backup/stored_manifest.h"
#include "base/error.h"
#include "base/glob.h"
#include "base/interrupt.h"
#include "base/privilege.h"
#include "base/utf8.h"
#include "crypto/measured.h"
#include "recovery/archive_restore.h"
#include "recovery/file_tree.h"
#include "recovery/restore_log.h"
#include "stream/memory_stream.h"

namespace bkp {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestSealed = kLargestSecret + (std::size_t{1} << 20);

// Where the tree is built: beside a directory that is not there yet, inside of one that is empty.
class Workplace {
 public:
  explicit Workplace(fs::path target) : target_(std::move(target)) {
    if (!target_.has_filename()) target_ = target_.parent_path();  // "there/"
    std::error_code error;
    const fs::file_status status = fs::symlink_status(target_, error);
    exists_ = fs::exists(status);
    if (exists_ && !fs::is_directory(target_, error))
      throw Error(ErrorCode::usage, fmt::format("'{}' is not a directory", target_.string()));
    if (exists_ && !fs::is_empty(target_, error))
      throw Error(ErrorCode::usage,
                  error
                      ? fmt::format("cannot look into '{}': {}", target_.string(), error.message())
                      : fmt::format("directory '{}' is not empty", target_.string()),
                  "name one that is empty or not there: a restore never overwrites a file");
    place_.emplace(exists_ ? target_ : target_.parent_path(), ".bkp-restore-");
  }

  const fs::path& path() const { return place_->path(); }

  // Nothing of it stays unless it got its name; modes that close a directory do not keep it.
  ~Workplace() {
    std::error_code ignored;
    std::vector<fs::path> open{path()};
    while (!open.empty()) {
      const fs::path directory = open.back();
      open.pop_back();
      if (!fs::is_directory(fs::symlink_status(directory, ignored))) continue;
      fs::permissions(directory, fs::perms::owner_all, fs::perm_options::add, ignored);
      for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored))
        open.push_back(entry.path());
    }
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  void move_into_place() const {
    if (!exists_) {
      move(path(), target_);
      return sync_directory(target_.parent_path());
    }
    std::vector<fs::path> entries;
    for (const fs::directory_entry& entry : fs::directory_iterator(path()))
      entries.push_back(entry.path());
    for (const fs::path& entry : entries) move(entry, target_ / entry.filename());
    sync_directory(target_);
  }

 private:
  static void move(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return;
    struct stat status {};
    // A directory that its owner may not write cannot be moved by anybody but root.
    if (errno == EACCES && ::lstat(from.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
        ::chmod(from.c_str(), 0700) == 0 && ::rename(from.c_str(), to.c_str()) == 0 &&
        ::chmod(to.c_str(), status.st_mode & 07777) == 0)
      return;
    throw_errno("cannot move '" + to.string() + "' into its place");
  }

  fs::path target_;
  bool exists_ = false;
  std::optional<TemporaryDirectory> place_;
};

class TarContent final : public Source {
 public:
  explicit TarContent(TarReader& from) : from_(from) {}
  std::size_t read(std::span<std::byte> out) override { return from_.read(out); }

 private:
  TarReader& from_;
};

class FilesRestore {
 public:
  FilesRestore(Context& context, const RestoreFilesRequest& request, const Manifest& manifest,
               RestoreFilesResult& result)
      : context_(context),
        request_(request),
        manifest_(manifest),
        result_(result),
        configuration_(decode_configuration(manifest.details)) {
    select();
    load_secret_keys();
  }

  void write(Fd archive, const fs::path& directory) {
    FileTree tree(directory, result_.owners ? FileTree::Owners::restore : FileTree::Owners::keep);
    TarReader reader(std::move(archive));
    std::size_t index = 0;
    for (; const std::optional<TarEntry> stored = reader.next(); ++index) {
      check_interrupt();
      if (index == configuration_.entries.size() ||
          configuration_.entries[index].stored_path() != stored->path)
        throw Error(ErrorCode::integrity,
                    fmt::format("the backup's archive holds '{}', of which its manifest says "
                                "nothing",
                                valid_utf8(stored->path)));
      write_entry(configuration_.entries[index], reader, tree);
    }
    if (index != configuration_.entries.size())
      throw Error(ErrorCode::integrity, "the backup's archive holds less than its manifest says");
    for (const auto& [path, digest] : written_)
      if (tree.digest(path) != digest)
        throw Error(ErrorCode::integrity,
                    fmt::format("'{}' on the disk is not what was written", valid_utf8(path)));
    tree.settle();
  }

 private:
  bool wanted(const std::string& path) const {
    if (request_.only.empty()) return true;
    const std::string shown = shown_path(path);
    return std::any_of(request_.only.begin(), request_.only.end(), [&](const std::string& glob) {
      return path_or_parent_matches(glob, shown);
    });
  }

  // The wanted names; of those that are one file the first has the content. Directories above come
  // with what is in them.
  void select() {
    std::vector<std::string> selected;
    for (const ConfigurationEntry& entry : configuration_.entries) {
      const TarEntry& tar = entry.tar;
      if (!wanted(tar.path)) continue;
      selected.push_back(tar.path);
      const std::string& original = tar.type == FileType::hard_link ? tar.link : tar.path;
      names_[original].push_back(tar.path);
    }
    if (selected.empty() && !request_.only.empty())
      throw Error(ErrorCode::usage,
                  fmt::format("nothing in the backup is of '{}'",
                              valid_utf8(fmt::format("{}", fmt::join(request_.only, "', '")))),
                  "'bkp show' lists what is in it; quote patterns, or the shell takes them");
    for (const std::string& path : selected)
      for (std::size_t at = path.rfind('/'); at != std::string::npos && at != 0;
           at = path.rfind('/', at - 1))
        if (!parents_.insert(path.substr(0, at)).second) break;
  }

  void load_secret_keys() {
    const fs::path& file = context_.config.config_snapshot.secrets_key_file;
    if (file.empty()) return;
    try {
      secret_keys_ = load_key_file(file);
    } catch (const Error& error) {
      check_interrupt();
      result_.warnings.push_back("secrets_key_file: " + error.message());
    }
  }

  void write_entry(const ConfigurationEntry& entry, TarReader& reader, FileTree& tree) {
    const TarEntry& tar = entry.tar;
    const auto names = names_.find(tar.path);
    if (tar.type == FileType::directory) {
      if (names == names_.end() && !parents_.contains(tar.path)) return;
      tree.add_directory(tar);
      ++result_.files;
      return;
    }
    if (names == names_.end() || tar.type == FileType::hard_link) return;
    if (tar.type == FileType::symlink) {
      tree.add_link(tar);
      ++result_.files;
      return;
    }
    TarEntry first = tar;
    first.path = names->second.front();
    if (entry.secret ? !write_secret(entry, first, reader, tree)
                     : !write_plain(entry, first, reader, tree))
      return;
    ++result_.files;
    for (std::size_t i = 1; i < names->second.size(); ++i) {
      TarEntry link = tar;
      link.type = FileType::hard_link;
      link.path = names->second[i];
      link.link = first.path;
      tree.add_link(link);
      ++result_.files;
    }
  }

  bool write_plain(const ConfigurationEntry& entry, const TarEntry& as, TarReader& reader,
                   FileTree& tree) {
    TarContent content(reader);
    MeasuredSource measured(content);
    tree.add_file(as, measured);
    if (measured.size() != entry.tar.size || measured.digest() != entry.sha256)
      throw different(entry);
    result_.record.bytes += measured.size();
    written_[as.path] = entry.sha256;
    return true;
  }

  bool write_secret(const ConfigurationEntry& entry, const TarEntry& as, TarReader& reader,
                    FileTree& tree) {
    if (!secret_keys_ || secret_keys_->find(entry.secret->key_id) == nullptr) {
      for (const std::string& name : names_[entry.tar.path])
        result_.sealed.push_back(shown_path(name));
      return false;
    }
    TarContent content(reader);
    const Bytes sealed = read_all(content, kLargestSealed);
    if (sha256(sealed) != entry.sha256) throw different(entry);
    Bytes plain =
        open_secret({manifest_.cluster_uuid, manifest_.id, entry.tar.path}, sealed, *secret_keys_);
    if (plain.size() != entry.tar.size ||
        prove_secret_again(plain, *secret_keys_, *entry.secret) != entry.secret)
      throw different(entry);
    result_.record.bytes += plain.size();
    written_[as.path] = sha256(plain);
    MemorySource source(std::move(plain));
    tree.add_file(as, source);
    return true;
  }

  static Error different(const ConfigurationEntry& entry) {
    return {ErrorCode::integrity, fmt::format("'{}' in the backup is not what its manifest says",
                                              valid_utf8(shown_path(entry.tar.path)))};
  }

  Context& context_;
  const RestoreFilesRequest& request_;
  const Manifest& manifest_;
  RestoreFilesResult& result_;
  Configuration configuration_;
  std::optional<KeyRing> secret_keys_;
  std::map<std::string, std::vector<std::string>> names_;  // of a file: all that are wanted
  std::set<std::string> parents_;
  std::map<std::string, Digest256> written_;
};

void carry_out(Context& context, const RestoreFilesRequest& request, RestoreFilesResult& result) {
  if (!is_whole(request.backup))
    throw Error(ErrorCode::usage,
                fmt::format("backup '{}' is {} and cannot be restored", request.backup.id,
                            to_text(request.backup.status)),
                "'bkp list' shows those that can");
  std::vector<CopyCheck> bad;
  const Manifest manifest = fetch_manifest(context, request.backup, bad);
  result.owners = can_raise(kWriteFiles);
  FilesRestore restore(context, request, manifest, result);
  require_spool_room(context.config.spool_dir, manifest.plain_size);
  GetResult got;
  Fd archive = fetch_archive(context, manifest, read_order(context, bad), &got);
  result.record.source_storage = fmt::format("{}", fmt::join(got.served_by, ","));
  for (const std::vector<CopyCheck>* copies : {&bad, &got.bad_copies})
    for (const CopyCheck& copy : *copies)
      result.warnings.push_back(fmt::format("copy in '{}': {}", copy.storage, copy.problem));
  const RaisedPrivilege raised(kWriteFiles);
  Workplace workplace(request.to_dir);
  restore.write(std::move(archive), workplace.path());
  check_interrupt();
  workplace.move_into_place();
}

}  // namespace

RestoreFilesResult restore_files(Context& context, const RestoreFilesRequest& request) {
  RestoreFilesResult result;
  const RestoreRecord record =
      logged_restore(context, {request.backup.id, "files", request.to_dir.string(), request.reason},
                     [&](RestoreRecord& begun) {
                       carry_out(context, request, result);
                       begun.bytes = result.record.bytes;
                       begun.source_storage = result.record.source_storage;
                     });
  result.record = record;
  return result;
}

}  // namespace bkp
