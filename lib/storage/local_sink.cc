#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/interrupt.h"
#include "base/uuid.h"
#include "storage/local_file.h"

namespace bkp {
namespace fs = std::filesystem;
namespace {

// Handed to the disk in the background this often, so that the last fsync has little left to do.
constexpr std::uint64_t kFlushStep = std::uint64_t{16} << 20;
// How often a directory may vanish under a writer before it gives up.
constexpr int kPruneRaces = 10;

bool same_content(int a, int b) {
  struct stat status_a {
  }, status_b{};
  if (::fstat(a, &status_a) != 0 || ::fstat(b, &status_b) != 0) return false;
  if (!S_ISREG(status_b.st_mode) || status_a.st_size != status_b.st_size) return false;
  Bytes left(1 << 18), right(1 << 18);
  for (off_t at = 0; at < status_a.st_size;) {
    const std::size_t want =
        std::min<std::size_t>(left.size(), static_cast<std::size_t>(status_a.st_size - at));
    const ssize_t got = ::pread(a, left.data(), want, at);
    if (got <= 0) return false;
    for (ssize_t have = 0; have < got;) {
      const ssize_t more =
          ::pread(b, right.data() + have, static_cast<std::size_t>(got - have), at + have);
      if (more <= 0) return false;
      have += more;
    }
    if (!std::equal(left.begin(), left.begin() + got, right.begin())) return false;
    at += got;
  }
  return true;
}

class LocalSink final : public Sink, public Rereadable {
 public:
  explicit LocalSink(LocalTarget target) : target_(std::move(target)) {}
  ~LocalSink() override { discard(); }

  void write(ByteView data) override {
    check_stop();
    if (!file_) open_temporary();
    while (!data.empty()) {
      check_stop();
      const ByteView piece = data.first(std::min<std::size_t>(data.size(), 4 << 20));
      const ssize_t count = ::write(file_.get(), piece.data(), piece.size());
      if (count < 0 && errno == EINTR) {
        check_interrupt();
        continue;
      }
      if (count < 0) fail("write", target_.path);
      data = data.subspan(static_cast<std::size_t>(count));
      written_ += static_cast<std::uint64_t>(count);
      if (written_ - flushed_ >= kFlushStep) flush_behind();
    }
  }

  void finish() override {
    check_stop();
    if (!file_) open_temporary();
    if (::fsync(file_.get()) != 0) fail("sync", target_.path);
    commit();
    placed_ = true;
    sync_local_directory(target_.storage, target_.path.parent_path());
  }

  void read_back(std::uint64_t offset, std::span<std::byte> out) const override {
    while (!out.empty()) {
      const ssize_t count =
          ::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) {
        check_interrupt();
        continue;
      }
      if (count < 0) fail("read back", target_.path);
      if (count == 0)
        throw Error(ErrorCode::failed, fmt::format("storage '{}': '{}' ends before its byte {}",
                                                   target_.storage, target_.path.string(), offset));
      offset += static_cast<std::uint64_t>(count);
      out = out.subspan(static_cast<std::size_t>(count));
    }
  }

 private:
  [[noreturn]] void fail(std::string_view action, const fs::path& path) const {
    throw_local(target_.storage, action, path);
  }

  void check_stop() const {
    check_interrupt();
    if (target_.options.stop.stop_requested())
      throw Error(ErrorCode::failed, fmt::format("storage '{}': writing '{}' was stopped",
                                                 target_.storage, target_.path.string()));
  }

  // A file without a name, where the file system has such: not even a kill leaves anything then.
  void open_temporary() {
    const fs::path directory = target_.path.parent_path();
    // Another run's remove() may prune the directory between the two calls.
    for (int attempt = 0; !file_; ++attempt) {
      require_root_directory(target_.storage, target_.root);
      if (!make_directories(target_.storage, target_.root, directory)) {
        errno = ENOENT;
      } else {
        errno = EOPNOTSUPP;
        if (target_.unfinished == UnfinishedFile::unnamed)
          file_ = Fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0640));
        if (!file_ && errno != ENOENT && errno != ENOSPC && errno != EDQUOT && errno != EACCES)
          open_named();
      }
      if (!file_ && (errno != ENOENT || attempt == kPruneRaces)) fail("create", target_.path);
    }
  }

  void open_named() {
    const fs::path temporary = temporary_name();
    file_ = Fd(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    if (file_) temporary_ = temporary;
  }

  fs::path temporary_name() const {
    return fmt::format("{}.{}{}", target_.path.string(), Uuid::random().short_text(),
                       kTemporarySuffix);
  }

  // Gives the file without a name the name `path`, unless that is taken: 0, or -1 with errno.
  int link_to(const fs::path& path) const {
    return ::linkat(AT_FDCWD, fmt::format("/proc/self/fd/{}", file_.get()).c_str(), AT_FDCWD,
                    path.c_str(), AT_SYMLINK_FOLLOW);
  }

  void flush_behind() {
    ::sync_file_range(file_.get(), static_cast<off_t>(flushed_),
                      static_cast<off_t>(written_ - flushed_), SYNC_FILE_RANGE_WRITE);
    flushed_ = written_;
  }

  // A file without a name does not keep its directory: another run's remove() may have pruned it.
  void commit() {
    const bool guarded = target_.options.if_exists == IfExists::fail;
    for (int attempt = 0; (guarded ? place() : replace()) != 0; ++attempt) {
      if (errno == EEXIST && guarded) return accept_existing();
      if (errno != ENOENT || attempt == kPruneRaces) fail("write", target_.path);
      require_root_directory(target_.storage, target_.root);
      make_directories(target_.storage, target_.root, target_.path.parent_path());
    }
  }

  // As rename(2): 0, or -1 with errno.
  int replace() {
    if (temporary_.empty()) {
      const fs::path temporary = temporary_name();
      if (link_to(temporary) != 0) return -1;
      temporary_ = temporary;
    }
    return ::rename(temporary_.c_str(), target_.path.c_str());
  }

  // The same, but never over an existing file: the kernel decides which of two writers comes first.
  int place() const {
    if (temporary_.empty()) return link_to(target_.path);
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.path.c_str(),
                    RENAME_NOREPLACE) == 0)
      return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;  // NFS, older kernels
    if (::link(temporary_.c_str(), target_.path.c_str()) != 0) return -1;
    ::unlink(temporary_.c_str());
    return 0;
  }

  void accept_existing() {
    const Fd existing(::open(target_.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!existing || !same_content(file_.get(), existing.get()))
      throw Error(ErrorCode::failed,
                  fmt::format("storage '{}': '{}' exists already and holds other bytes",
                              target_.storage, target_.path.string()));
    if (::fsync(existing.get()) != 0) fail("sync", target_.path);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void discard() noexcept {
    if (placed_ || !file_) return;
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    prune_directories(target_.root, target_.path.parent_path());
  }

  LocalTarget target_;
  fs::path temporary_;  // empty: the file has no name
  bool placed_ = false;
  Fd file_;
  std::uint64_t written_ = 0;
  std::uint64_t flushed_ = 0;
};

}  // namespace

std::unique_ptr<Sink> make_local_sink(LocalTarget target) {
  return std::make_unique<LocalSink>(std::move(target));
}

}  // namespace bkp
