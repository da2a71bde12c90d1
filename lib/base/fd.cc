#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/uuid.h"

namespace bkp {

void Fd::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void write_all(int fd, ByteView data, std::string_view what) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0) {
      if (errno == EINTR) {
        check_interrupt();
        continue;
      }
      throw_errno("cannot write '" + std::string(what) + "'");
    }
    data = data.subspan(static_cast<std::size_t>(written));
  }
}

std::size_t read_some(int fd, std::span<std::byte> out, std::string_view what) {
  for (;;) {
    const ssize_t count = ::read(fd, out.data(), out.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw_errno("cannot read '" + std::string(what) + "'");
    check_interrupt();
  }
}

std::string read_file(const std::filesystem::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("cannot open '" + path.string() + "'");
  std::string content;
  Bytes buffer(1 << 16);
  while (const std::size_t count = read_some(file.get(), buffer, path.string()))
    content.append(as_text(ByteView(buffer).first(count)));
  return content;
}

void sync_directory(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory.empty() ? "." : directory;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("cannot open directory '" + path.string() + "'");
  if (::fsync(fd.get()) != 0) throw_errno("cannot sync directory '" + path.string() + "'");
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode) {
  const std::filesystem::path temporary =
      path.string() + "." + Uuid::random().short_text() + ".tmp";
  Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file) throw_errno("cannot create '" + temporary.string() + "'");
  try {
    if (::fchmod(file.get(), mode) != 0) throw_errno("cannot chmod '" + temporary.string() + "'");
    write_all(file.get(), as_bytes(content), temporary.string());
    if (::fsync(file.get()) != 0) throw_errno("cannot sync '" + temporary.string() + "'");
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      throw_errno("cannot rename '" + temporary.string() + "' to '" + path.string() + "'");
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(path.parent_path());
}

TemporaryDirectory::TemporaryDirectory(const std::filesystem::path& parent,
                                       std::string_view prefix) {
  std::string pattern = (parent / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw_errno("cannot create directory '" + pattern + "'");
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace bkp
