#include "stream/file_stream.h"

#include <fcntl.h>

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

FileSink::FileSink(const std::filesystem::path& path)
    : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)),
      name_(path.string()) {
  if (!file_) throw_errno("cannot create '" + name_ + "'");
}

void FileSink::write(ByteView data) { write_all(file_.get(), data, name_); }

void FileSink::finish() { file_.close(); }

}  // namespace bkp
