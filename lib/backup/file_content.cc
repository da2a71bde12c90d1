#include "backup/file_content.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>

#include "base/interrupt.h"

namespace bkp {
namespace {

constexpr int kTries = 5;
constexpr std::size_t kPiece = std::size_t{256} << 10;

FileTrouble trouble(int code) {
  if (code == ENOENT) return FileTrouble("it vanished while bkp looked");
  if (code == ELOOP || code == ENXIO) return FileTrouble("it is another kind of file by now");
  return FileTrouble(fmt::format("cannot be read: {}", std::strerror(code)));
}

struct stat examined(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw trouble(errno);
  return status;
}

bool same_moment(const struct stat& a, const struct stat& b) {
  const auto same = [](const timespec& x, const timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return a.st_size == b.st_size && same(a.st_mtim, b.st_mtim) && same(a.st_ctim, b.st_ctim);
}

// Looks for texts in bytes that come in pieces, also where one lies over the end of a piece.
class Search {
 public:
  explicit Search(const std::vector<Secret>& wanted) : wanted_(wanted) {
    for (const Secret& text : wanted_) longest_ = std::max(longest_, text.reveal().size());
  }
  void add(ByteView piece) {
    if (wanted_.empty()) return;
    append(window_, piece);
    const std::string_view text = as_text(window_);
    for (const Secret& each : wanted_)
      found_ = found_ || text.find(each.reveal_text()) != std::string_view::npos;
    if (window_.size() >= longest_)
      window_.erase(window_.begin(), window_.end() - static_cast<std::ptrdiff_t>(longest_ - 1));
  }
  bool found() const { return found_; }

 private:
  const std::vector<Secret>& wanted_;
  std::size_t longest_ = 1;
  Bytes window_;
  bool found_ = false;
};

std::size_t read_at(int fd, std::span<std::byte> out, std::uint64_t at) {
  while (true) {
    check_interrupt();
    const ssize_t count = ::pread(fd, out.data(), out.size(), static_cast<off_t>(at));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw trouble(errno);
  }
}

// The first `size` bytes of the file. Returns how many there were.
std::uint64_t read_from_start(int fd, std::uint64_t size,
                              const std::function<void(ByteView)>& take) {
  Bytes buffer(std::min<std::uint64_t>(kPiece, std::max<std::uint64_t>(size, 1)));
  std::uint64_t at = 0;
  while (at < size) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), size - at);
    const std::size_t count = read_at(fd, std::span(buffer).first(wanted), at);
    if (count == 0) break;
    take(ByteView(buffer).first(count));
    at += count;
  }
  return at;
}

}  // namespace

bool FileContent::read_once(TarEntry& entry, const std::vector<Secret>& forbidden) {
  const struct stat before = examined(file_.get());
  if (!S_ISREG(before.st_mode)) throw FileTrouble("it is another kind of file by now");
  size_ = static_cast<std::uint64_t>(before.st_size);
  in_memory_ = size_ <= kInMemory;
  bytes_.clear();
  const auto hashed = [&](bool keep, Search* search) {
    Sha256 hash;
    const std::uint64_t count = read_from_start(file_.get(), size_, [&](ByteView piece) {
      hash.update(piece);
      if (keep) append(bytes_, piece);
      if (search != nullptr) search->add(piece);
    });
    return count == size_ ? std::optional(hash.finish()) : std::nullopt;
  };
  Search search(forbidden);
  const std::optional<Digest256> digest = hashed(in_memory_, &search);
  if (!digest) return false;
  if (search.found()) throw FileTrouble("it holds a key of bkp's", false);
  const struct stat after = examined(file_.get());
  // What was only written behind its end is, up to there, as it was.
  if (!same_moment(before, after) &&
      (after.st_size <= before.st_size || hashed(false, nullptr) != digest))
    return false;
  sha256_ = *digest;
  entry.size = size_;
  entry.mode = before.st_mode & 07777;
  entry.mtime = before.st_mtim.tv_sec;
  entry.mtime_ns = static_cast<std::uint32_t>(before.st_mtim.tv_nsec);
  return true;
}

FileContent::FileContent(TarEntry& entry, const std::vector<Secret>& forbidden)
    : path_("/" + entry.path) {
  for (int i = 0; i < kTries; ++i) {
    // Opened anew: a file that was replaced has its new content under the old name.
    file_ = Fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (!file_) throw trouble(errno);
    if (read_once(entry, forbidden)) return;
  }
  throw FileTrouble("it kept changing while it was read");
}

std::size_t FileContent::read(std::span<std::byte> out) {
  const std::size_t wanted = std::min<std::uint64_t>(out.size(), size_ - at_);
  if (in_memory_) {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), wanted, out.begin());
    at_ += wanted;
    return wanted;
  }
  if (wanted == 0) {
    if (again_.finish() != sha256_) throw FileTrouble("it changed while it was read");
    return 0;
  }
  const std::size_t count = read_at(file_.get(), out.first(wanted), at_);
  if (count == 0) throw FileTrouble("it changed while it was read");
  again_.update(out.first(count));
  at_ += count;
  return count;
}

}  // namespace bkp
