// A file as the beginning or the end of a pipeline.
#pragma once

#include <filesystem>
#include <string>

#include "base/fd.h"
#include "stream/stream.h"

namespace bkp {

// Reads a file from its start, or an open descriptor (a pipe, a socket) from where it stands.
class FileSource final : public Source {
 public:
  // Throws Error(failed) naming the path when it cannot be opened or is a directory.
  explicit FileSource(const std::filesystem::path& path);
  // `name` is for messages.
  FileSource(Fd file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  std::size_t read(std::span<std::byte> out) override;

 private:
  Fd file_;
  std::string name_;
};

// A new private file (0600) that only this process's children are to read: not synced. Destroyed
// unfinished, the file stays to its directory's owner.
class FileSink final : public Sink {
 public:
  // Throws Error(failed) when the file exists or cannot be created.
  explicit FileSink(const std::filesystem::path& path);

  void write(ByteView data) override;
  void finish() override;

 private:
  Fd file_;
  std::string name_;
};

}  // namespace bkp
