// Tar archives in pax format: names of any bytes, times to the nanosecond, sizes without a limit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"

namespace bkp {

enum class FileType { file, directory, symlink, hard_link };

struct TarEntry {
  std::string path;  // relative, any bytes but NUL, no '/' at the end
  FileType type = FileType::file;
  unsigned mode = 0;  // permission bits, set-id and sticky
  std::uint32_t uid = 0, gid = 0;
  std::string user, group;  // or empty
  std::int64_t mtime = 0;   // seconds since 1970
  std::uint32_t mtime_ns = 0;
  std::uint64_t size = 0;  // of a file's content
  std::string link;        // target of a symlink; path of the entry that a hard link is the same as
};

// Builds an archive piece by piece; what is ready is taken from pending(). Not thread-safe.
class TarWriter {
 public:
  TarWriter();
  ~TarWriter();

  // A file's content follows: write() in pieces, entry.size bytes in all; the next call of begin()
  // or finish() throws Error(failed) when it was not as long.
  void begin(const TarEntry& entry);
  void write(ByteView data);
  void finish();
  // The archive's bytes since they were last taken; the caller empties it.
  Bytes& pending();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads an archive from a descriptor, from its start. Throws Error(integrity) for what is not whole
// or not a tar archive of the entries above.
class TarReader {
 public:
  explicit TarReader(Fd file);
  ~TarReader();

  // nullopt: its end. What was not read of the entry before is passed over.
  std::optional<TarEntry> next();
  // Content of the entry; 0 at its end.
  std::size_t read(std::span<std::byte> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
