// A file as the beginning or the end of a pipeline.
#pragma once

#include <filesystem>
#include <memory>
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

// A file without a name in a directory, for what must not stay there: it is gone with its last
// descriptor, however this process ends. Not synced.
class SpoolFile final : public Sink {
 public:
  // Throws Error(failed).
  explicit SpoolFile(const std::filesystem::path& directory);

  void write(ByteView data) override;
  void finish() override {}
  // The descriptor, for a child to read from: as its standard input it can be opened again there,
  // as often as needed, under the name /dev/stdin.
  std::shared_ptr<Fd> take() { return std::make_shared<Fd>(std::move(file_)); }

 private:
  Fd file_;
  std::string name_;
};

}  // namespace bkp
