#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "base/error.h"

using namespace bkp;

namespace {

struct Place {
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "bkp-fd-"};
  std::filesystem::path path(const char* name) const { return directory.path() / name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory.path()), {}));
  }
};

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner") {
  Fd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = first.get();
  REQUIRE(first);
  Fd second = std::move(first);
  CHECK_FALSE(first);  // NOLINT: what a moved-from one is
  CHECK(is_open(number));
  second = Fd(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  CHECK(second);
  {
    const Fd third = std::move(second);
    CHECK(is_open(third.get()));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a file is replaced whole, with the mode asked for, and nothing beside it") {
  const Place place;
  const auto path = place.path("file");
  const mode_t before = ::umask(077);
  write_file_atomically(path, "old", 0644);
  ::umask(before);
  CHECK(mode_of(path) == 0644);
  const std::string content(300000, 'x');
  write_file_atomically(path, content, 0600);
  CHECK(mode_of(path) == 0600);
  CHECK(read_file(path) == content);
  CHECK(place.entries() == 1);
}

TEST_CASE("a file that cannot be replaced stays, and nothing beside it") {
  const Place place;
  std::filesystem::create_directory(place.path("directory"));
  CHECK_THROWS_AS(write_file_atomically(place.path("directory"), "x"), Error);
  CHECK(place.entries() == 1);
  CHECK_THROWS_AS(write_file_atomically(place.path("none") / "x", "x"), Error);
}

TEST_CASE("what cannot be read or written is named") {
  CHECK_THROWS_WITH(read_file("/nonexistent"),
                    "cannot open '/nonexistent': No such file or directory");
  CHECK_THROWS_AS(read_file("/"), Error);
  CHECK_THROWS_AS(sync_directory("/nonexistent"), Error);
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  CHECK_THROWS_WITH(write_all(full.get(), as_bytes("x"), "the file"),
                    "cannot write 'the file': No space left on device");
}

TEST_CASE("reading gives what there is, and nothing at the end") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Fd from(ends[0]);
  Fd to(ends[1]);
  write_all(to.get(), as_bytes("abc"), "pipe");
  to.close();
  std::array<std::byte, 8> buffer{};
  CHECK(read_some(from.get(), buffer, "pipe") == 3);
  CHECK(as_text(ByteView(buffer).first(3)) == "abc");
  CHECK(read_some(from.get(), buffer, "pipe") == 0);
}

TEST_CASE("a temporary directory is private, and gone with all that it holds") {
  std::filesystem::path path;
  {
    const TemporaryDirectory directory(std::filesystem::temp_directory_path(), "bkp-x-");
    path = directory.path();
    CHECK(path.filename().string().starts_with("bkp-x-"));
    CHECK(mode_of(path) == 0700);
    std::filesystem::create_directories(path / "a/b");
    write_file_atomically(path / "a/b/c", "x");
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_THROWS_AS(TemporaryDirectory("/nonexistent", "x"), Error);
}
