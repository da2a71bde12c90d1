// The bytes of a file that others may be writing: as they were at one moment, or not at all.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "crypto/digest.h"
#include "stream/tar.h"

namespace bkp {

// Why a file is not taken; the message is the reason alone.
class FileTrouble : public Error {
 public:
  explicit FileTrouble(std::string reason, bool counts = true)
      : Error(ErrorCode::partial, std::move(reason)), counted(counts) {}
  bool counted;
};

class FileContent {
 public:
  // Opens `entry` (a file; paths are below '/') and reads it to its end, until its size, digest and
  // metadata were the same before and after: those go into `entry`. A file that only grows is taken
  // as it was when it was opened. A small one is kept in memory. Throws FileTrouble: unreadable,
  // vanished, kept changing, another kind of thing by now; and, uncounted, one that has one of
  // `forbidden` texts in it.
  FileContent(TarEntry& entry, const std::vector<Secret>& forbidden);

  const Digest256& sha256() const { return sha256_; }
  // The content in pieces, 0 at its end. Throws FileTrouble when it is not what was read before.
  std::size_t read(std::span<std::byte> out);

  static constexpr std::uint64_t kInMemory = std::uint64_t{4} << 20;

 private:
  bool read_once(TarEntry& entry, const std::vector<Secret>& forbidden);

  std::string path_;
  Fd file_;
  std::uint64_t size_ = 0;
  Digest256 sha256_{};
  bool in_memory_ = false;
  Bytes bytes_;
  std::uint64_t at_ = 0;  // of read()
  Sha256 again_;
};

}  // namespace bkp
