#include "config/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/fd.h"

namespace bkp {

namespace {

constexpr std::size_t kLimit = std::size_t{1} << 20;

void check(const struct stat& status, const std::string& path, const std::string& subject) {
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::usage, subject + " is not a regular file");
  if ((status.st_mode & 077) != 0)
    throw Error(ErrorCode::usage, subject + " can be read by others", "chmod 600 " + path);
  const uid_t self = ::geteuid();
  if (self != 0 && status.st_uid != self && status.st_uid != 0)
    throw Error(ErrorCode::usage, subject + " belongs to another user",
                "chown " + std::to_string(self) + " " + path);
}

}  // namespace

std::string read_private_file(const std::filesystem::path& path, std::string_view what) {
  const std::string subject = std::string(what) + " '" + path.string() + "'";
  // Non-blocking, so that a named pipe is refused below instead of waited for.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0)
    throw Error(ErrorCode::usage, "cannot read " + subject + ": " + std::strerror(errno));
  check(status, path.string(), subject);
  std::string content;
  std::array<std::byte, 4096> block;
  while (const std::size_t count = read_some(file.get(), block, subject)) {
    content += as_text(ByteView(block).first(count));
    if (content.size() > kLimit)
      throw Error(ErrorCode::usage, subject + " is too large to be one of secrets");
  }
  return content;
}

}  // namespace bkp
