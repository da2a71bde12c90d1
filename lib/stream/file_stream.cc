#include "stream/file_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"

namespace bkp {

FileSource::FileSource(const std::filesystem::path& path)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), name_(path.string()) {
  if (!file_) throw_errno("cannot open '" + name_ + "'");
  // Once at the start: the kernel then reads ahead of a reader that goes through all of it.
  static_cast<void>(::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL));
}

std::size_t FileSource::read(std::span<std::byte> out) {
  return read_some(file_.get(), out, name_);
}

namespace {

Fd open_unnamed(const std::filesystem::path& directory) {
  Fd file(::open(directory.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (file || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
  // A file system that knows names only.
  std::string name = (directory / "bkp_spool_XXXXXX").string();
  file = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (file) ::unlink(name.c_str());
  return file;
}

}  // namespace

SpoolFile::SpoolFile(const std::filesystem::path& directory)
    : file_(open_unnamed(directory)), name_("spool in '" + directory.string() + "'") {
  if (!file_) throw_errno("cannot create a file in '" + directory.string() + "'");
}

void SpoolFile::write(ByteView data) { write_all(file_.get(), data, name_); }

}  // namespace bkp
