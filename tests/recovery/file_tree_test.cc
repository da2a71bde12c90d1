#include "recovery/file_tree.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "stream/memory_stream.h"

using namespace bkp;
namespace fs = std::filesystem;

namespace {

TarEntry entry(FileType type, std::string path, std::string link = {}) {
  TarEntry made;
  made.type = type;
  made.path = std::move(path);
  made.link = std::move(link);
  made.mode = type == FileType::directory ? 0755 : 0644;
  made.mtime = 1'000'000'000;
  made.mtime_ns = 5;
  return made;
}

struct Place {
  Place() : outer("/tmp", "bkp-file-tree-") {
    fs::create_directory(outer.path() / "in");
    tree.emplace(outer.path() / "in", FileTree::Owners::keep);
  }
  void file(const std::string& path, const std::string& text = "x") {
    MemorySource content(to_bytes(text));
    tree->add_file(entry(FileType::file, path), content);
  }
  bool nothing_outside() const {
    return std::distance(fs::directory_iterator(outer.path()), fs::directory_iterator()) == 1;
  }

  TemporaryDirectory outer;
  std::optional<FileTree> tree;
};

}  // namespace

TEST_CASE("no name leads out of the tree") {
  Place place;
  for (const char* path :
       {"../out", "/out", "a/../../out", "a/..", "..", ".", "", "a//b", "a/./b"}) {
    INFO(path);
    CHECK_THROWS_AS(place.file(path), Error);
    CHECK_THROWS_AS(place.tree->add_directory(entry(FileType::directory, path)), Error);
  }
  CHECK(place.nothing_outside());
}

TEST_CASE("nothing is written through a link, whichever comes first") {
  Place place;
  place.tree->add_link(entry(FileType::symlink, "dir", ".."));
  place.file("dir/out");  // the link's place is taken by a directory
  CHECK_THROWS_AS(place.tree->settle(), Error);
  CHECK(place.nothing_outside());
}

TEST_CASE("a hard link to what is not in the tree is refused") {
  Place place;
  place.tree->add_link(entry(FileType::hard_link, "h", "../../etc/passwd"));
  CHECK_THROWS_AS(place.tree->settle(), Error);
  CHECK(fs::is_empty(place.outer.path() / "in"));
}

TEST_CASE("a name is never written twice") {
  Place place;
  place.file("a", "first");
  CHECK_THROWS_AS(place.file("a", "second"), Error);
}

TEST_CASE("modes, times and links are as they were, and no set-id bit without owners") {
  Place place;
  TarEntry closed = entry(FileType::directory, "closed");
  closed.mode = 0500;
  place.tree->add_directory(closed);
  TarEntry program = entry(FileType::file, "closed/program");
  program.mode = 06755;
  MemorySource content(to_bytes("x"));
  place.tree->add_file(program, content);
  place.tree->add_link(entry(FileType::symlink, "closed/s", "nowhere"));
  place.tree->add_link(entry(FileType::hard_link, "h", "closed/program"));
  CHECK(place.tree->digest("closed/program") == sha256(as_bytes("x")));
  place.tree->settle();
  const fs::path in = place.outer.path() / "in";
  struct stat status {};
  REQUIRE(::lstat((in / "closed").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0500);
  CHECK(status.st_mtim.tv_sec == 1'000'000'000);
  CHECK(status.st_mtim.tv_nsec == 5);
  REQUIRE(::lstat((in / "h").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0755);
  CHECK(status.st_nlink == 2);
  CHECK(fs::read_symlink(in / "closed/s") == "nowhere");
  fs::permissions(in / "closed", fs::perms::owner_all);
}
