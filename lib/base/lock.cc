#include "base/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"

namespace bkp {

Lock::Lock(const std::filesystem::path& directory, std::string_view name, std::string_view holder,
           std::chrono::seconds wait) {
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  const std::filesystem::path path = directory / (std::string(name) + ".lock");
  file_ = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file_) throw_errno("cannot open lock file '" + path.string() + "'");
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("cannot lock '" + path.string() + "'");
    check_interrupt();
    if (std::chrono::steady_clock::now() >= deadline) {
      const std::string other = read_file(path);
      throw Error(ErrorCode::locked,
                  "another run holds the lock '" + std::string(name) + "'" +
                      (other.empty() ? "" : ": " + other),
                  "wait for it with --wait 30m, or look at what it does with 'bkp list'");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const std::string text = std::string(holder) + " (process " + std::to_string(::getpid()) + ")";
  if (::ftruncate(file_.get(), 0) != 0) throw_errno("cannot write '" + path.string() + "'");
  write_all(file_.get(), as_bytes(text), path.string());
}

}  // namespace bkp
