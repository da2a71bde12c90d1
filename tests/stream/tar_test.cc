#include "stream/tar.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "stream/file_stream.h"

using namespace bkp;

namespace {

TarEntry file(std::string path, std::uint64_t size) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.mode = 0640;
  entry.uid = 4'000'000'000;
  entry.gid = 7;
  entry.user = "\xff user";
  entry.mtime = -5;
  entry.mtime_ns = 123456789;
  entry.size = size;
  return entry;
}

TarEntry link(FileType type, std::string path, std::string target) {
  TarEntry entry = file(std::move(path), 0);
  entry.type = type;
  entry.link = std::move(target);
  return entry;
}

Fd stored(ByteView bytes) {
  SpoolFile spool("/tmp");
  spool.write(bytes);
  return std::move(*spool.take());
}

std::string content_of(TarReader& reader) {
  std::string all;
  std::byte piece[1000];
  while (const std::size_t count = reader.read(piece)) all += as_text(ByteView(piece, count));
  return all;
}

}  // namespace

TEST_CASE("names of any bytes, long ones, links, owners and times come back as they were") {
  const std::vector<TarEntry> entries{
      file("etc/plain", 3),
      file("\xff\xfe\n*", 3),
      file("ünï", 3),
      file(std::string(3000, 'x'), 3),
      link(FileType::directory, "empty", ""),
      link(FileType::symlink, "s", std::string(2000, 't') + "\xff"),
      link(FileType::hard_link, "h", "\xff\xfe\n*"),
  };
  TarWriter writer;
  for (const TarEntry& entry : entries) {
    writer.begin(entry);
    if (entry.type == FileType::file) writer.write(as_bytes("abc"));
  }
  writer.finish();
  TarReader reader(stored(writer.pending()));
  for (const TarEntry& entry : entries) {
    const std::optional<TarEntry> found = reader.next();
    REQUIRE(found);
    CHECK(found->path == entry.path);
    CHECK(found->type == entry.type);
    CHECK(found->link == entry.link);
    CHECK(found->uid == entry.uid);
    CHECK(found->user == entry.user);
    CHECK(found->mtime == entry.mtime);
    CHECK(found->mtime_ns == entry.mtime_ns);
    if (entry.type != FileType::symlink) CHECK(found->mode == entry.mode);
    CHECK(content_of(reader) == (entry.type == FileType::file ? "abc" : ""));
  }
  CHECK_FALSE(reader.next());
}

TEST_CASE("an entry that is not as long as it says is no archive") {
  TarWriter writer;
  writer.begin(file("a", 3));
  writer.write(as_bytes("ab"));
  CHECK_THROWS_AS(writer.begin(file("b", 0)), Error);
  CHECK_THROWS_AS(writer.finish(), Error);
  CHECK_THROWS_AS(writer.write(as_bytes("cd")), Error);
}

TEST_CASE("an archive that is cut or no archive is damage") {
  TarWriter writer;
  writer.begin(file("a", 5000));
  writer.write(Bytes(5000));
  writer.finish();
  const Bytes whole = writer.pending();
  const auto read_through = [](ByteView bytes) {
    TarReader reader(stored(bytes));
    while (reader.next()) content_of(reader);
  };
  CHECK_NOTHROW(read_through(whole));
  CHECK_THROWS_AS(read_through(ByteView(whole).first(3000)), Error);
  CHECK_THROWS_AS(read_through(as_bytes(std::string(4000, 'n'))), Error);
}
