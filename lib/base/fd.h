// An owned file descriptor, and the few file operations whose order decides whether data survives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace bkp {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { close(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close() noexcept;

 private:
  int fd_ = -1;
};

// Writes all of it, or throws Error(failed) naming `what`.
void write_all(int fd, ByteView data, std::string_view what);
// Up to out.size() bytes; 0 at the end of the file. Waits through EINTR, except when the process
// was asked to stop: then it throws (see interrupt.h).
std::size_t read_some(int fd, std::span<std::byte> out, std::string_view what);

// Whole files. Throw Error(failed) naming the path.
std::string read_file(const std::filesystem::path& path);
// Temporary file beside it, fsync, rename, fsync of the directory: after a crash the old or the new
// content stands, whole. `mode` is the new file's permission bits.
void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode = 0644);
void sync_directory(const std::filesystem::path& directory);

// A private temporary directory (0700), removed with all it holds when destroyed.
class TemporaryDirectory {
 public:
  // Under `parent`; the name starts with `prefix`. Throws Error(failed).
  TemporaryDirectory(const std::filesystem::path& parent, std::string_view prefix);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace bkp
